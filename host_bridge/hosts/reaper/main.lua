-- ZeroStem for REAPER: the actions. The builder puts all modules into this file, and behind it which action is run.
--@include json.lua
--@include wav.lua
--@include job.lua
--@include machine.lua
--@include input_dialog.lua
--@include pending_jobs.lua
--@include selected_items.lua
--@include sound.lua
--@include import_stems.lua
--@include window.lua
--@include capture.lua
--@include watch.lua
--@facts

FACTS.host = "reaper"

local TITLE, IMPORT = "ZeroStem", "_ZEROSTEM_IMPORT"
local RELAUNCH = 3 -- end the one that runs, and start the new one
local jobs = job.new (json, FACTS, machine)
local actions = {}

-- Said to somebody who waits for an answer; and said while they do something else.
local function tell (text)
	reaper.ShowMessageBox (text, TITLE, 0)
end

local function say (text)
	reaper.ShowConsoleMsg (TITLE .. ": " .. text .. "\n")
end

-- Whatever goes wrong in our own code is said in a sentence, and REAPER goes on.
local function guarded (act)
	return function ()
		local good, why = xpcall (act, function (trouble) return (tostring (trouble):gsub ("^.-:(%d+): ", "line %1: ")) end)
		if not good then say ("Something went wrong in this script (" .. why .. "). Run `zerostem doctor` and report both.") end
		return good
	end
end

local function tools ()
	return { jobs = jobs, pending_jobs = pending_jobs, import_stems = import_stems, window = window.new (TITLE), say = say, name = job.name }
end

-- Let `ticking` have a step for each picture that REAPER draws, until it has nothing left to do; then `after`.
local function run (ticking, after)
	local going = false
	local function step ()
		going = false
		local good = guarded (function () going = ticking.tick () end) ()
		if good and going then reaper.defer (step) elseif after then guarded (after) () end
	end
	reaper.atexit (guarded (ticking.let_go))
	step ()
end

-- Started again while it only watches, the old one ends and the new one goes on: nobody is asked which.
local function may_be_relaunched ()
	if reaper.APIExists ("set_action_options") then reaper.set_action_options (RELAUNCH) end
end

-- See that somebody watches the jobs: the script that does, the import action, or this one.
local function have_watched ()
	if watch.alive () then return end
	local command = reaper.NamedCommandLookup (IMPORT)
	if command ~= 0 then return reaper.Main_OnCommand (command, 0) end
	may_be_relaunched () -- REAPER does not know the import action by our name for it: it came by ReaPack
	run (watch.new (tools ()))
end

local function is_installed ()
	local good, why = jobs.installed ()
	if not good then tell (why) end
	return good
end

-- Make a job of each selected region. wanted: what was asked; once more is known of each it may be refused.
local function separate (wanted)
	local regions, trouble = selected_items.regions (wanted.heard)
	local read, project = capture.new (tools ()), reaper.EnumProjects (-1)
	local taken = 0
	wanted.deliver = reaper.GetProjectPathEx (project)
	reaper.RecursiveCreateDirectory (wanted.deliver, 0)
	for _, region in ipairs (regions) do
		local id, found = jobs.id (), nil
		region.project = project
		local folder, why = jobs.begin (id)
		if folder then found, why = sound.of (wav, region, folder, wanted.heard) end
		if found then
			read.add (region, id, found, wanted)
			taken = taken + 1
		else
			jobs.abandon (id)
			trouble = trouble or why
		end
	end
	if taken > 0 then run (read, have_watched) end
	if trouble then tell (trouble) end
end

local function separate_by (dialog, title, extra)
	if not is_installed () then return end
	local regions, nothing = selected_items.regions (true)
	if #regions == 0 then return tell (nothing) end
	local wanted, why = input_dialog.now (job, dialog, title)
	if not wanted then
		if why then tell (why) end
		return
	end
	for key, value in pairs (extra) do wanted[key] = value end
	separate (wanted)
end

function actions.separate ()
	separate_by ("separate", "ZeroStem: Separate by prompt", {})
end

function actions.highlight ()
	separate_by ("highlight", "ZeroStem: Highlight by prompt", { mute = true })
end

function actions.again ()
	if not is_installed () then return end
	local wanted, why = input_dialog.again (job, "separate")
	if not wanted then return tell (why) end
	separate (wanted)
end

function actions.strength ()
	if not is_installed () then return end
	local selected, why = import_stems.selected_stem ()
	if not selected then return tell (why) end
	local stems, trouble = jobs.stems (selected.id)
	if not stems then return tell (trouble) end
	for _, stem in ipairs (stems) do
		if stem.number == selected.number then
			local before = string.format ("%d", math.floor (stem.strength * 100 + 0.5))
			local wanted, wrong = input_dialog.now (job, "strength", "ZeroStem: " .. stem.name, { strength = before })
			if not wanted then
				if wrong then tell (wrong) end
				return
			end
			local token = jobs.strengthen (selected.id, stem.number, wanted.strength)
			pending_jobs.add (reaper.EnumProjects (-1), "again-" .. token, { job = selected.id, answer = token })
			return have_watched ()
		end
	end
	tell ("The job of this stem no longer holds it. Separate the region again.")
end

function actions.import ()
	may_be_relaunched ()
	local watched = watch.new (tools ())
	run (watched, function ()
		if watched.count () == 0 and not watch.may_be_bell (pending_jobs) then
			say ("This project waits for no stems. Select an item and separate it first.")
		end
	end)
end

function actions.panel ()
	if is_installed () then jobs.call ("panel") end
end

-- The last line of an action's file calls this.
local function perform (name)
	guarded (actions[name]) ()
end
