-- Plays a scene: lua5.4 stage.lua FOLDER SCENE. The scene is Lua that sets a project up, runs our actions in the strict
-- REAPER and lets time pass; in the end all that can be seen is printed as JSON.

local folder, scene = arg[1], arg[2]
local here = arg[0]:match ("^(.*)/")
local shared = here .. "/../../host_bridge/lua/"

local function chunk (path, ...) return assert (loadfile (path)) (...) end

local json, wav = chunk (shared .. "json.lua"), chunk (shared .. "wav.lua")
local sounds = chunk (here .. "/sounds.lua")
local signatures = chunk (here .. "/signatures.lua")
local model = chunk (here .. "/fake_model.lua", sounds)
local parts = {}
for index, name in ipairs ({ "sound", "undo", "scripts" }) do
	parts[index] = chunk (here .. "/fake_" .. name .. ".lua", ({ sound = wav, scripts = signatures })[name])
end
local fake = chunk (here .. "/fake_reaper.lua", signatures, model, parts)
local options = { media = folder .. "/media" }
local spool = folder .. "/home" .. "/spool"
local stage = { folder = folder, spool = spool, options = options, tick_s = 0.033, seen = {} }
os.execute ("mkdir -p '" .. options.media .. "'")
stage.reaper = fake.new (options)
stage.daemon = chunk (here .. "/dummy_daemon.lua", json, wav, sounds).new (spool)
local P = stage.reaper

-- The actions as they are installed, under their own ids.
for line in io.lines (folder .. "/reaper/reaper-kb.ini") do
	local id, path = line:match ('^SCR 4 0 (%S+) "[^"]+" "([^"]+)"')
	table.insert (P.commands, { name = "_" .. id, path = folder .. "/reaper/Scripts/" .. path })
end

local function put (data, values)
	for key, value in pairs (values or {}) do data.values[key] = value end
end

function stage.track (name, values)
	local track = P.make.track ()
	track.name = name
	put (track, values)
	table.insert (P.project.tracks, track)
	return track
end

-- about: file, position, length, values (the item's), take (the take's values), midi, empty, reversed, fx, envelopes.
function stage.item (track, about)
	local item = P.make.item (track)
	item.values.D_POSITION, item.values.D_LENGTH = about.position, about.length
	item.values.D_FADEINLEN, item.values.D_FADEOUTLEN = 0, 0
	put (item, about.values)
	table.insert (track.items, item)
	if about.empty then return item end
	local take = P.make.take (item)
	put (take, about.take)
	take.midi, take.fx, take.envelopes = about.midi, about.fx or 0, about.envelopes or 0
	if not about.midi then take.source = assert (P.make.source (about.file), about.file) end
	if about.reversed then take.source = P.make.new ("PCM_source*", { type = "SECTION", parent = take.source }) end
	table.insert (item.takes, take)
	return item
end

function stage.select (...)
	for _, each in ipairs ({ ... }) do each.selected = true end
end

function stage.answer (...)
	for _, text in ipairs ({ ... }) do table.insert (P.answers, text) end
end

function stage.run (action)
	local id = P.reaper.NamedCommandLookup ("_ZEROSTEM_" .. action:upper ())
	assert (id ~= 0, action)
	P.reaper.Main_OnCommand (id, 0)
end

-- Run the action whose id an OSC surface has left in a file, as REAPER does that heard of it.
local function heed ()
	local file = io.open (folder .. "/bell", "rb")
	if not file then return end
	local id = P.reaper.NamedCommandLookup (file:read ("a"))
	file:close ()
	os.remove (folder .. "/bell")
	if id ~= 0 then P.reaper.Main_OnCommand (id, 0) end
end

-- End every script, as a person does who closes it.
function stage.close_scripts ()
	while #P.scripts > 0 do P.finish (P.scripts[1]) end
end

-- Let some seconds pass, or as many as `enough` needs, at most `limit_s`.
function stage.pass (seconds, enough)
	local until_s = P.clock + seconds
	while P.clock < until_s do
		if enough and enough () then return true end
		if options.real then os.execute ("sleep " .. stage.tick_s) end
		heed ()
		P.tick (stage.tick_s)
		for _, script in ipairs (P.scripts) do
			local text = script.window.text
			if script.window.open and text and text ~= stage.seen[#stage.seen] then table.insert (stage.seen, text) end
		end
	end
	return not enough
end

-- The one window that is open; nil where there is none.
function stage.window ()
	for _, script in ipairs (P.scripts) do
		if script.window.open then return script.window end
	end
end

function stage.close_window ()
	stage.window ().key = -1
end

-- Press "Stop" in a row of the window, from 1 on.
function stage.press_stop (row)
	local window = stage.window ()
	window.fields.mouse_x, window.fields.mouse_y, window.fields.mouse_cap = window.w - 30, 10 + (row - 1) * 44 + 24, 1
	stage.pass (0.1)
	window.fields.mouse_cap = 0
end

local function shown (project)
	local tracks = {}
	for index, track in ipairs (project.tracks) do
		local one = { name = track.name, guid = track.guid, values = track.values, selected = track.selected, items = {} }
		for number, item in ipairs (track.items) do
			local take = item.takes[1]
			one.items[number] = { guid = item.guid, values = item.values, ext = item.ext, selected = item.selected,
				take = take and { name = take.name, values = take.values, file = take.source and take.source.path } }
		end
		tracks[index] = one
	end
	return tracks
end

local function object (values)
	return next (values) and values or json.null
end

stage.said = {}
local names = { stage = stage, P = P, R = P.reaper }
assert (load (scene, "=scene", "t", setmetatable (names, { __index = _G }))) ()

local undo = {}
for index, step in ipairs (P.project.undo) do undo[index] = step.title end
io.write (assert (json.encode ({
	tracks = shown (P.project), undo = undo, messages = P.messages, console = P.console, executed = P.executed, asked = P.asked,
	longest = P.longest, steps = P.steps, running = #P.scripts, seen = stage.seen, said = stage.said, calls = object (P.calls),
	waiting = object (P.project.ext), dirty = P.project.dirty, render = P.project.render, rendered = P.rendered or json.null,
	jobs = stage.daemon.ids (), remembered = object (P.ext), refresh = P.refresh, depth = P.depth,
})))
