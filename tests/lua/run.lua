-- Runs the tests that are written in Lua: lua5.4 tests/lua/run.lua, or with names of files for those alone. Needs a Lua 5.3 or
-- 5.4 and a Unix shell, nothing else. The exit code is 1 where a test fails.
--
-- A file of tests is a chunk that gets this table:
--     t.test (name, act)            one test; it fails with what it raises
--     t.same (found, wanted)        compares values, tables by what they hold
--     t.module (name, ...)          a module of host_bridge/lua
--     t.folder ()                   a new folder
--     t.play (scene)                performs a scene (see stage.lua) on the actions as they are installed -> what could be seen

local here = arg[0]:match ("^(.*)/[^/]*$") or "."
local root = here .. "/../.."
local FILES = { "test_json.lua", "test_wav.lua", "test_job.lua", "test_default_paths.lua", "test_reaper.lua" }
local ACTIONS = { "separate", "again", "strength", "highlight", "import", "panel" }
local t, tests, folders = {}, {}, {}

local function quoted (word)
	return "'" .. word:gsub ("'", "'\\''") .. "'"
end

local function write (path, text)
	local file = assert (io.open (path, "wb"))
	file:write (text)
	file:close ()
end

local function told (value)
	if type (value) ~= "table" then return type (value) == "string" and ("%q"):format (value) or tostring (value) end
	local parts = {}
	for key, each in pairs (value) do parts[#parts + 1] = "[" .. told (key) .. "] = " .. told (each) end
	table.sort (parts)
	return "{ " .. table.concat (parts, ", ") .. " }"
end

function t.test (name, act)
	tests[#tests + 1] = { name = name, act = act }
end

function t.same (found, wanted)
	local one, other = told (found), told (wanted)
	if one ~= other then error ("found " .. one .. ", wanted " .. other, 2) end
end

function t.module (name, ...)
	return assert (loadfile (root .. "/host_bridge/lua/" .. name .. ".lua")) (...)
end

function t.folder ()
	local made = io.popen ("mktemp -d")
	local path = made:read ("l")
	made:close ()
	folders[#folders + 1] = path
	return path
end

local json = t.module ("json")
local build = assert (loadfile (here .. "/build.lua")) ()

local function installed (folder)
	local scripts = folder .. "/reaper/Scripts/ZeroStem"
	assert (os.execute ("mkdir -p " .. quoted (scripts) .. " " .. quoted (folder .. "/home" .. "/spool")))
	local facts = { command = { folder .. "/zerostem" }, spool = folder .. "/home" .. "/spool",
		engine_file = folder .. "/home" .. "/engine.json" }
	local modules, register = build (root .. "/host_bridge/hosts/reaper/main.lua", facts), {}
	write (folder .. "/zerostem", "")
	for index, action in ipairs (ACTIONS) do
		write (scripts .. "/" .. action .. ".lua", modules .. "\nperform ('" .. action .. "')\n")
		register[index] = ('SCR 4 0 ZEROSTEM_%s "Custom: %s" "ZeroStem/%s.lua"\n'):format (action:upper (), action, action)
	end
	write (folder .. "/reaper/reaper-kb.ini", table.concat (register))
end

function t.play (scene)
	local folder, wav = t.folder (), t.module ("wav")
	installed (folder)
	local samples = {}
	for index = 1, 48000 do samples[index] = (index * 7919 % 2001 - 1000) / 2001 end
	local song = folder .. "/song.wav"
	write (song, wav.header (8000, 2, 24000, 0) .. wav.samples (samples, 48000))
	local words = { arg[-1], here .. "/stage.lua", folder, "local FILE = [==[" .. song .. "]==] " .. scene }
	for index, word in ipairs (words) do words[index] = quoted (word) end
	local stage = io.popen (table.concat (words, " ") .. " 2>&1")
	local text = stage:read ("a")
	if not stage:close () then error (text, 2) end
	local seen = assert (json.decode (text))
	assert (not seen.console:find ("Something went wrong"), seen.console)
	assert (seen.longest < 0.030, "a step is so long that it is seen")
	t.same ({ seen.refresh, seen.depth }, { 0, 0 })
	return seen, folder
end

local chosen = {}
for index = 1, #arg do chosen[index] = arg[index] end
if #chosen == 0 then
	for index, name in ipairs (FILES) do chosen[index] = here .. "/" .. name end
end
local failed, run = 0, 0
for _, path in ipairs (chosen) do
	tests = {}
	assert (loadfile (path)) (t)
	for _, each in ipairs (tests) do
		run = run + 1
		local good, why = xpcall (each.act, debug.traceback)
		print ((good and "ok      " or "FAILED  ") .. path:match ("[^/]*$") .. ": " .. each.name)
		if not good then
			failed = failed + 1
			print (why)
		end
	end
	assert (#tests > 0, path .. " has no test")
end
for _, folder in ipairs (folders) do os.execute ("rm -rf " .. quoted (folder)) end
print (("%d run, %d failed."):format (run, failed))
os.exit (failed == 0)
