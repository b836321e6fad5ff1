-- The jobs of the project in front are looked at, their stems brought in, and people told. Everything happens in `tick`, a
-- few milliseconds each time; nothing is lost where it ends in the middle, for the project knows its jobs.

local watch = {}

local SECTION, SIGN, BROUGHT = "ZeroStem", "watcher", "brought"
local STEP_S = 0.012 -- of the 30 ms between two pictures: what is left over waits for the next look
local LOOK_S = 0.2 -- five looks a second
local FRESH_S = 2 -- a watcher that lives has signed within this time
local BELL_S = 10 -- a bell is never later than that
local LINGER_S = 2 -- so long a window in which all went well stays
local ASK_AGAIN_S, DELIVERY_S = 3, 20 -- of a job that is done and whose stems are not in the project's folder

-- Whether something was written down less than so many seconds ago.
local function within (key, seconds)
	local at = tonumber (reaper.GetExtState (SECTION, key))
	return at ~= nil and math.abs (reaper.time_precise () - at) < seconds
end

-- Whether some script watches at this moment.
function watch.alive ()
	return within (SIGN, FRESH_S)
end

-- Whether a bell may have rung for stems that another script has just brought in, or that another project waits for.
function watch.may_be_bell (pending_jobs)
	local index = 0
	local project = reaper.EnumProjects (index)
	while project do
		if #pending_jobs.ids (project) > 0 then return true end
		index = index + 1
		project = reaper.EnumProjects (index)
	end
	return within (BROUGHT, BELL_S)
end

-- tools: jobs, pending_jobs, import_stems, window, say (a sentence that stops nobody).
function watch.new (tools)
	local jobs, pending_jobs, import_stems, window = tools.jobs, tools.pending_jobs, tools.import_stems, tools.window
	local rows, known, peaks = {}, {}, {}
	local next_look, calm_since = 0, nil
	local watched = {}

	-- A row is over, with its last word. is_news: something that the person has to know; where no window is open it is said.
	local function over (row, said, is_news)
		row.over, row.said, row.news = true, said, is_news
		if is_news and not window.open then tools.say (said) end
	end

	local function told_of (absent, note)
		local parts = {}
		if #absent > 0 then parts[1] = "Not found: " .. table.concat (absent, ", ") .. "." end
		if note ~= "" then parts[#parts + 1] = note end
		return table.concat (parts, " ")
	end

	-- Whether all stems lie in the project's folder; `row` is over where they do not come.
	local function are_delivered (row, stems, now)
		local missing = false
		for _, stem in ipairs (stems) do missing = missing or not stem.delivered end
		if not missing then return true end
		row.late, row.said = row.late or now, "Copying the stems..."
		if now - row.late > ASK_AGAIN_S and not row.asked then
			jobs.call ("deliver", row.id)
			row.asked = true
		elseif now - row.late > DELIVERY_S then
			over (row, "The stems could not be copied into the project's folder. Make room there, and import them again.", true)
		end
		return false
	end

	local function keep_peaks (stems)
		for _, stem in ipairs (stems) do peaks[#peaks + 1] = { media = stem.media } end
	end

	local function bring_in (row, now)
		local stems, absent = jobs.stems (row.id)
		if not stems then
			pending_jobs.take (row.project, row.key)
			return over (row, absent, true)
		end
		if not are_delivered (row, stems, now) then return end
		for _, stem in ipairs (stems) do stem.path = stem.delivered end
		local record = pending_jobs.take (row.project, row.key)
		if not record then return over (row, "Done.") end -- another script was quicker
		if #stems == 0 then return over (row, told_of (absent, "The job has made no stems."), true) end
		local note, why = import_stems.stems (row.project, row.id, record, stems)
		if not note then
			pending_jobs.add (row.project, row.key, record)
			return over (row, why, true)
		end
		keep_peaks (stems)
		reaper.SetExtState (SECTION, BROUGHT, tostring (now), false)
		note = told_of (absent, note)
		over (row, note == "" and "Done." or note, note ~= "")
	end

	-- A stem that is rendered again: its new file, and that of the rest, take the places of the old ones.
	local function swap (row)
		local good, why = jobs.answer (row.answer)
		if good == nil then return end
		if not pending_jobs.take (row.project, row.key) then return over (row, "Done.") end
		local stems, note
		if good then stems, why = jobs.stems (row.id) end
		if stems then
			for _, stem in ipairs (stems) do stem.path = stem.delivered or stem.path end
			local made, changes = import_stems.swap (row.project, row.id, stems)
			if made then keep_peaks (changes) end
			note, why = made, changes
		end
		over (row, note and "Done." or why, not note)
	end

	local function look (row, now)
		if not pending_jobs.has (row.project, row.key) then return over (row, "Done.") end
		if row.answer then return swap (row) end
		local told, why, gone = jobs.look (row.id)
		if not told then
			if gone then pending_jobs.take (row.project, row.key) end
			return over (row, why, true)
		end
		row.said, row.permille = row.stopping and not told.ended and "Stopping..." or told.said, told.permille
		if told.state == "done" then return bring_in (row, now) end
		if told.ended then
			pending_jobs.take (row.project, row.key)
			over (row, told.said, told.state == "failed")
		end
	end

	-- Take up what the project in front waits for and we do not know of yet.
	local function take_up (project)
		for _, key in ipairs (pending_jobs.ids (project)) do
			if not known[tostring (project) .. key] then
				local record = pending_jobs.look (project, key)
				known[tostring (project) .. key], watched.shown = true, false
				rows[#rows + 1] = { project = project, key = key, id = record.job or key, answer = record.answer,
					name = jobs.title (record.job or key), said = "Rendering again...", permille = 0 }
			end
		end
	end

	local function stop (row)
		if row.answer then
			pending_jobs.take (row.project, row.key)
			return over (row, "No longer waited for.")
		end
		local good, why = jobs.cancel (row.id)
		row.stopping, row.said = good, good and "Stopping..." or why
	end

	local function build_peaks ()
		local first = peaks[1]
		if not first then return end
		if not reaper.ValidatePtr (first.media, "PCM_source*") then -- undone meanwhile, or its project closed
			table.remove (peaks, 1)
		elseif not first.building then
			first.building = true
			if reaper.PCM_Source_BuildPeaks (first.media, 0) == 0 then table.remove (peaks, 1) end
		elseif reaper.PCM_Source_BuildPeaks (first.media, 1) == 0 then
			reaper.PCM_Source_BuildPeaks (first.media, 2)
			table.remove (peaks, 1)
		end
	end

	-- One step; whether there is anything left to do.
	function watched.tick ()
		local now, busy, news = reaper.time_precise (), false, false
		if now >= next_look then
			next_look = now + LOOK_S
			reaper.SetExtState (SECTION, SIGN, tostring (now), false)
			local project = reaper.EnumProjects (-1)
			take_up (project)
			local until_s = now + STEP_S
			for _, row in ipairs (rows) do
				local mine = row.project == project -- stems come into the project in front
				if not row.over and mine and reaper.time_precise () < until_s then look (row, now) end
				if not row.over and not reaper.ValidatePtr (row.project, "ReaProject*") then
					over (row, "Its project was closed; the stems wait for it.")
				end
			end
		end
		for _, row in ipairs (rows) do busy, news = busy or not row.over, news or row.news end
		build_peaks ()
		if busy and not watched.shown then
			watched.shown = true
			window.show (#rows)
		end
		if window.open then
			for index in pairs (window.draw (rows)) do stop (rows[index]) end
		end
		calm_since = not busy and (calm_since or now) or nil
		if calm_since and not news and now - calm_since > LINGER_S then window.close () end
		return busy or window.open or #peaks > 0
	end

	-- How many jobs it has met.
	function watched.count ()
		return #rows
	end

	-- The script ends; the project knows what it waits for.
	function watched.let_go ()
		reaper.SetExtState (SECTION, SIGN, "", false)
	end

	return watched
end

return watch
