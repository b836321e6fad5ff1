-- What the person is asked, in REAPER's own dialog, and what was answered the last time.

local ask = {}

local SECTION = "ZeroStem"
-- For each dialog its fields: the key of the answer, what is asked, and what it holds the first time.
local FIELDS = {
	separate = {
		{ "sounds", "Sounds (commas between)", "" },
		{ "preset", "or a preset", "" },
		{ "strength", "Strength (%; empty: the preset's or 100)", "" },
		{ "heard", "As heard: with effects (y/n)", "n" },
		{ "mute", "Mute the source (y/n)", "n" },
		{ "folder", "Stems in a folder track (y/n)", "n" },
	},
	highlight = {
		{ "sounds", "Sounds (commas between)", "" },
		{ "gain", "Louder by (dB)", "6" },
		{ "heard", "As heard: with effects (y/n)", "n" },
	},
	strength = { { "strength", "Strength (%)", "100" } },
}
local SWITCHES = { heard = true, mute = true, folder = true }

-- The answers to a dialog as they were typed the last time.
local function remembered (dialog)
	local answers = {}
	for _, field in ipairs (FIELDS[dialog]) do
		local key = dialog .. "." .. field[1]
		answers[field[1]] = reaper.HasExtState (SECTION, key) and reaper.GetExtState (SECTION, key) or field[3]
	end
	return answers
end

-- What was typed, as it is meant; nil and a sentence where it cannot be.
local function meant (job, answers)
	local wanted, why = {}
	for key, text in pairs (answers) do
		if SWITCHES[key] then
			local letter = text:lower ():match ("^%s*([yn])")
			if not letter then return nil, "“" .. text .. "” is neither y nor n. Write one of them." end
			wanted[key] = letter == "y"
		end
	end
	if answers.sounds then
		wanted.prompts, why = job.prompts (answers.sounds)
		if not wanted.prompts then return nil, why end
		wanted.preset = answers.preset and answers.preset:match ("^%s*(.-)%s*$") or ""
		if #wanted.prompts == 0 and wanted.preset == "" then
			return nil, "No sound is named. Write what to take out, such as: drums, a female voice."
		end
	end
	local left_open = answers.sounds and answers.strength and not answers.strength:find ("%S")
	if answers.strength and not left_open then -- left open: as the preset has it, or the sound alone
		wanted.strength, why = job.strength (answers.strength)
		if not wanted.strength then return nil, why end
	end
	if answers.gain then
		wanted.gain_db = tonumber ((answers.gain:gsub (",", ".")))
		if not wanted.gain_db or math.abs (wanted.gain_db) > 24 then
			return nil, "“" .. answers.gain .. "” is no gain. Write decibels between -24 and 24."
		end
	end
	return wanted
end

-- Ask, and remember what was answered. nil where the person has closed the dialog; nil and a sentence where the answer
-- cannot be meant, which is remembered too, so that it can be mended.
function ask.now (job, dialog, title, defaults)
	local fields, before = FIELDS[dialog], remembered (dialog)
	local captions, values = {}, {}
	for index, field in ipairs (fields) do
		captions[index] = field[2]
		values[index] = (defaults and defaults[field[1]] or before[field[1]]):gsub ("\n", " ")
	end
	local layout = table.concat (captions, ",") .. ",extrawidth=180,separator=\n"
	local answered, text = reaper.GetUserInputs (title, #fields, layout, table.concat (values, "\n"))
	if not answered then return nil end
	local answers, index = {}, 0
	for value in (text .. "\n"):gmatch ("([^\n]*)\n") do
		index = index + 1
		local field = fields[index]
		if field then
			answers[field[1]] = value
			reaper.SetExtState (SECTION, dialog .. "." .. field[1], value, true)
		end
	end
	return meant (job, answers)
end

-- The last answers without asking; nil and a sentence where there are none.
function ask.again (job, dialog)
	return meant (job, remembered (dialog))
end

return ask
