-- A job as host scripts see it: a folder put into the spool, looked at until it is done, in plain Lua 5.3 and 5.4.
-- A chunk whose value is a table; SPOOL.md says what the files hold. What hosts do each in their own way is passed in:
--
--     local jobs = job.new (json, facts, {
--         make_folder = function (path) ... end,    -- true, or false where it could not be made
--         run = function (words) ... end,           -- starts a command and does not wait; words: a list
--         random = function () ... end,             -- a whole number, another one each time
--         now = function () ... end,                -- seconds, never going back
--     })
--
-- Nothing here raises an error: what cannot be done is nil (or false) and a sentence or two for the person.

local job = {}

local SILENT_S = 45
-- A daemon that says nothing for so long while a job waits is told of: starting one loads torch, which takes seconds.
local IN_USE_S, NO_SUCH_FILE = 5, 2
-- A file that the daemon replaces at this moment cannot be opened on Windows and on shares, or seems to be gone: for so long
-- what it said last is taken to be true. The other number is ENOENT, the same everywhere.
local MOST_STEMS, LONGEST_PROMPT, LONGEST_NAME = 64, 500, 200
local REINSTALL = "Install ZeroStem's scripts again: `zerostem install %s`."

local function trimmed (text)
	return (text:gsub ("^%s+", ""):gsub ("%s+$", ""))
end

-- Whether it is one line of plain text in UTF-8.
local function is_line (text)
	if not utf8.len (text) or text:find ("[\0-\31\127]") then return false end
	for _, code in utf8.codes (text) do
		if (code >= 0x80 and code < 0xA0) or code == 0x2028 or code == 0x2029 then return false end
	end
	return true
end

-- The sounds of a line such as "drums, a female voice" -> list of prompts; nil and a sentence where one cannot be meant.
function job.prompts (text)
	local prompts, seen = {}, {}
	for each in (text .. ","):gmatch ("([^,]*),") do
		local prompt = trimmed (each)
		if prompt ~= "" then
			if not is_line (prompt) or prompt:find ("[/\\]") or not prompt:find ("[^ .]") then
				return nil, "A sound's name is one line without / and \\. Write it in plain words."
			end
			if utf8.len (prompt) > LONGEST_PROMPT then
				return nil, "A sound's name is too long. Describe it in a few words."
			end
			if seen[prompt:lower ()] then
				return nil, "“" .. prompt .. "” stands there twice. Name each sound once."
			end
			seen[prompt:lower ()] = true
			prompts[#prompts + 1] = prompt
		end
	end
	if #prompts > MOST_STEMS then
		return nil, "These are more than " .. MOST_STEMS .. " sounds. Name fewer at once."
	end
	return prompts
end

-- A number that a person has typed, "70", "70 %" or "0.7": 0..1; nil and a sentence where it is none.
function job.strength (text)
	local number, percent = text:match ("^%s*(%d*[.,]?%d*)%s*(%%?)%s*$")
	local value = number and tonumber ((number:gsub (",", ".")))
	if value and (percent == "%" or value > 1) then value = value / 100 end
	if not value or value > 1 then
		return nil, "A strength is a number from 0 to 100 %. 100 % is the sound alone, 0 % the mix."
	end
	return value
end

-- A name that a person has given to something, as a request may hold it: one line, not too long.
function job.name (text)
	if not utf8.len (text) then text = text:gsub ("[\128-\255]", "_") end
	text = trimmed ((text:gsub ("[\0-\31\127]", " ")))
	local stop = utf8.offset (text, LONGEST_NAME + 1)
	text = stop and trimmed (text:sub (1, stop - 1)) or text
	return is_line (text) and text or ""
end

function job.new (json, facts, system)
	local jobs, beats, seen = {}, {}, {}

	-- A file's bytes; nil where there is none, nil and true where it is there and cannot be read.
	local function read (path)
		local file, _, code = io.open (path, "rb")
		if not file then return nil, code ~= NO_SUCH_FILE end
		local text = file:read ("a")
		file:close ()
		return text, text == nil
	end

	-- What a file said a moment ago; nil where nobody has looked, or too long ago.
	local function lately (path)
		local before = seen[path]
		return before and system.now () - before.at < IN_USE_S and before.value or nil
	end

	-- A JSON object of ours; nil where there is none, nil and a sentence where it is not as we know it.
	local function told (path, schema)
		local text, in_use = read (path)
		if not text and not in_use then return nil end
		local value = text and json.decode (text)
		if type (value) ~= "table" or type (value.schema) ~= "string" then
			if lately (path) then return lately (path) end
			if in_use and not seen[path] then return nil end
			return nil, path .. " cannot be read. Run `zerostem doctor`."
		end
		if value.schema ~= schema then
			return nil, "The ZeroStem that runs is another version than this script. " .. REINSTALL:format (facts.host)
		end
		seen[path] = { value = value, at = system.now () }
		return value
	end

	local function written (path, text)
		local file, why = io.open (path, "wb")
		if not file then return nil, why end
		local good, trouble = file:write (text)
		local closed, late = file:close ()
		if good and closed then return true end
		return nil, trouble or late
	end

	-- The folder of jobs: where the daemon that runs has it, else where the next one will.
	function jobs.spool ()
		local engine = told (facts.engine_file, "zerostem-engine/1")
		return engine and engine.spool or facts.spool
	end

	local function folder (id)
		return jobs.spool () .. "/" .. id
	end

	-- Whether ZeroStem is still where it was when the script was installed; false and a sentence where it is not.
	function jobs.installed ()
		local name
		for _, word in ipairs (facts.command) do -- before it there may be `env` and what it sets
			local sets = word:find ("/env$") or word:find ("^[%w_]+=")
			name = name or (not sets and word or nil)
		end
		local program = name and io.open (name, "rb")
		if program then
			program:close ()
			return true
		end
		return false, "ZeroStem is no longer at " .. tostring (name) .. ". " .. REINSTALL:format (facts.host)
	end

	-- An id that nobody has had: the time, for people who look into the spool, and 32 random bits.
	function jobs.id ()
		return os.date ("!%Y%m%d-%H%M%S-") .. string.format ("%08x", system.random () & 0xFFFFFFFF)
	end

	-- Make a job's folder aside; returns its path, into which a region.wav may be written. nil and a sentence.
	function jobs.begin (id)
		local aside = jobs.spool () .. "/." .. id .. ".new"
		system.make_folder (jobs.spool ())
		if system.make_folder (aside) and written (aside .. "/.probe", "") then
			os.remove (aside .. "/.probe")
			return aside
		end
		return nil, "The folder " .. aside .. " cannot be made. Check the disk's space and the folder's permissions."
	end

	-- Throw away a folder that was made aside, with what may lie in it.
	function jobs.abandon (id)
		local aside = jobs.spool () .. "/." .. id .. ".new"
		for _, name in ipairs ({ "/region.wav", "/request.json", "/.probe", "" }) do
			os.remove (aside .. name)
		end
	end

	-- Write what is wanted and rename the folder into the spool: from now on it is a job. true, or nil and a sentence.
	-- wanted: the keys of request.json without `schema` and `host`; stems: a list of { prompt =, strength = }.
	function jobs.commit (id, wanted)
		local request = { schema = "zerostem-request/1", host = facts.host }
		for key, value in pairs (wanted) do
			local empty = type (value) == "table" and next (value) == nil and key ~= "stems"
			if value ~= "" and not empty then request[key] = value end
		end
		local aside = jobs.spool () .. "/." .. id .. ".new"
		local text, why = json.encode (request)
		local good = text and true
		if good then good, why = written (aside .. "/request.json", text .. "\n") end
		if good then good, why = os.rename (aside, folder (id)) end
		if good then return true end
		jobs.abandon (id)
		return nil, "The job cannot be written: " .. tostring (why) .. ". Check the disk's space, then try again."
	end

	-- Run a `zerostem` command without waiting for it, such as ("ring", id).
	function jobs.call (...)
		local words = {}
		for _, word in ipairs (facts.command) do words[#words + 1] = word end
		for _, word in ipairs ({ ... }) do words[#words + 1] = word end
		system.run (words)
	end

	-- Wake the daemon, or have it started. The daemon looks into the spool by itself too.
	function jobs.ring (id)
		jobs.call ("ring", id)
	end

	-- Stop a job: it works by its file alone, whether or not a daemon runs.
	function jobs.cancel (id)
		if written (folder (id) .. "/cancel", "") then return true end
		return nil, "The job cannot be stopped: its folder is gone. Nothing is left to be done."
	end

	-- state.json; queued where no daemon has written one yet. nil and a sentence where it cannot be read, and true besides
	-- where there is no such job any more.
	function jobs.state (id)
		local state, why = told (folder (id) .. "/state.json", "zerostem-state/1")
		if state or why then return state, why end
		local request, in_use = read (folder (id) .. "/request.json")
		if request or in_use then
			local queued = { id = id, state = "queued", permille = 0, stage = "", eta_s = -1, device = "", error = "", todo = "",
				code = 0 }
			return lately (folder (id) .. "/state.json") or queued
		end
		return nil, "The job " .. id .. " is no longer in the spool. Separate the region again.", true
	end

	-- What the person sees of a job: the region's name, else its id.
	function jobs.title (id)
		local request = told (folder (id) .. "/request.json", "zerostem-request/1")
		return request and request.name or id
	end

	-- result.json of a job that is done; nil, or nil and a sentence.
	function jobs.result (id)
		return told (folder (id) .. "/result.json", "zerostem-sidecar/1")
	end

	-- How long the daemon's heart has stood still as seen from here, in seconds; 0 where it beats.
	local function silence_s ()
		local daemon = told (jobs.spool () .. "/daemon.json", "zerostem-daemon/1")
		local sign = daemon and daemon.pid .. "/" .. daemon.beat or "none"
		if sign ~= beats.sign then beats.sign, beats.at = sign, system.now () end
		return system.now () - beats.at
	end

	-- What happened and what to do, for people: a file that an older ZeroStem wrote holds both in `error`.
	local function sentences (ended)
		local todo = type (ended.todo) == "string" and ended.todo or ""
		return todo == "" and ended.error or ended.error .. " " .. todo
	end

	-- How a job stands, for people and scripts: its state.json with `said`, a line that can be shown, and `ended`, whether
	-- there is nothing left to wait for. Otherwise as `jobs.state`.
	function jobs.look (id)
		local state, why, gone = jobs.state (id)
		if not state then return nil, why, gone end
		local shown = {}
		for key, value in pairs (state) do shown[key] = value end
		shown.ended = state.state == "failed" or state.state == "cancelled" or jobs.result (id) ~= nil
		if state.state == "failed" then
			shown.said = sentences (state)
		elseif state.state == "cancelled" then
			shown.said = "Stopped."
		elseif shown.ended then
			shown.said, shown.state = "Done.", "done"
		elseif silence_s () > SILENT_S then
			shown.said = "The ZeroStem daemon does not answer. Run `zerostem daemon` in a terminal to see why; the job waits for it."
		elseif state.state == "queued" then
			shown.said = "Waiting..."
		else
			shown.said = string.format ("%d %%, %s", state.permille // 10, state.stage)
			if state.eta_s >= 0 then
				shown.said = shown.said .. string.format (", %d:%02d to go", state.eta_s // 60, state.eta_s % 60)
			end
			if state.device ~= "" then shown.said = shown.said .. " (" .. state.device .. ")" end
		end
		return shown
	end

	-- Where the daemon has delivered a result's files: by their places in the spool. They are delivered in one order, and a
	-- name that was taken there got a number.
	local function delivered (result)
		local places, order = {}, {}
		for _, kind in ipairs ({ "path", "highlight", "generative" }) do
			for _, stem in ipairs (result.stems) do
				if type (stem[kind]) == "string" then order[#order + 1] = stem[kind] end
			end
		end
		if type (result.rest) == "string" then order[#order + 1] = result.rest end
		for index, path in ipairs (type (result.delivered) == "table" and result.delivered or {}) do
			local stem = (order[index] or ""):match ("([^/\\]+)%.wav$")
			local there = path:match ("[^/\\]+$") or ""
			if stem and there:sub (1, #stem) == stem then places[order[index]] = path end
		end
		return places
	end

	-- The files of a job that is done, in the order of its prompts and the rest last, and the prompts that were not found,
	-- whose files are silence and left out. Each file: { name =, path =, strength =, rest =, number =, delivered = }; number:
	-- of its prompt, from 1 on; rest: whether it is the rest; delivered: where a copy lies in the folder that the request
	-- named, if it does. nil and a sentence where the job is not done.
	function jobs.stems (id)
		local result, why = jobs.result (id)
		if not result then return nil, why or "The job " .. id .. " is not done. Wait for it." end
		local stems, absent, places = {}, {}, delivered (result)
		for number, stem in ipairs (result.stems) do
			if stem.found == false then absent[#absent + 1] = stem.prompt end
			if type (stem.path) == "string" and stem.found ~= false then
				stems[#stems + 1] = { name = stem.prompt, path = stem.path, strength = stem.strength, rest = false, number = number }
			end
		end
		if type (result.rest) == "string" then
			stems[#stems + 1] = { name = "rest", path = result.rest, strength = 1, rest = true }
		end
		for _, stem in ipairs (stems) do stem.delivered = places[stem.path] end
		return stems, absent
	end

	-- Have stem number `number` of a finished job rendered at another strength and delivered again. Returns a token with
	-- which to ask for the answer. The number and not the name goes into the command: people name stems as they like.
	function jobs.strengthen (id, number, strength)
		local token = string.format ("t%08x", system.random () & 0xFFFFFFFF)
		jobs.call ("strength", id, "/" .. number, string.format ("%.3f", strength), "--deliver", "--answer", jobs.answer_file (token))
		return token
	end

	function jobs.answer_file (token)
		return jobs.spool () .. "/.answer-" .. token .. ".json"
	end

	-- What has become of it: nil while it is not known, true, or false and a sentence. It is said once.
	function jobs.answer (token)
		local path = jobs.answer_file (token)
		local answer, why = told (path, "zerostem-answer/1")
		if not answer and not why then return nil end
		os.remove (path)
		if why then return false, why end
		if answer.error ~= "" then return false, sentences (answer) end
		return true
	end

	return jobs
end

return job
