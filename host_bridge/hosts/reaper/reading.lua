-- Regions become jobs: their sound is read in small steps while REAPER goes on, then the job is put into the spool.

local reading = {}

local STEP_S = 0.012 -- of the 30 ms between two pictures

-- tools: jobs, ledger, place, window, say (a sentence that stops nobody).
function reading.new (tools)
	local jobs, rows, rung, shown = tools.jobs, {}, false, false
	local read = {}

	-- Let go of what is open, once. true, or nil and a sentence where the sound is not whole.
	local function let_go_of (row)
		local close = row.sound.close or function () return true end
		row.sound.close = nil
		return close ()
	end

	local function end_of (row, trouble)
		row.over = true
		let_go_of (row)
		if trouble then
			jobs.abandon (row.id)
			tools.say (row.name .. ": " .. trouble)
		end
	end

	local function commit (row)
		local region, wanted = row.region, row.wanted
		local request = {
			stems = {},
			preset = wanted.preset,
			strength = wanted.strength, -- of every sound, those of the preset too; nil leaves it to the preset
			source = row.sound.source,
			region = row.sound.region,
			deliver = wanted.deliver,
			name = tools.name (string.format ("%s %.3fs", region.name, region.start)),
		}
		local preset = wanted.preset and wanted.preset ~= "" -- which then says what was left open
		for index, prompt in ipairs (wanted.prompts) do
			request.stems[index] = { prompt = prompt, strength = wanted.strength or (not preset and 1 or nil) }
		end
		local good, why = let_go_of (row)
		if good then good, why = jobs.commit (row.id, request) end
		if not good then return end_of (row, why) end
		tools.ledger.add (region.project, row.id, row.record)
		if not rung then jobs.ring (row.id) end -- the daemon that is awake finds the others by itself
		rung = true
		end_of (row)
	end

	-- Take up a region. sound: as `sound.of` has it; wanted: what was asked for it.
	function read.add (region, id, sound, wanted)
		local record = tools.place.record (region, sound.offset, wanted)
		rows[#rows + 1] = { name = region.name, said = "Reading...", permille = 0, region = region, id = id, sound = sound,
			wanted = wanted, record = record }
	end

	-- One step; whether there is anything left to do.
	function read.tick ()
		local until_s = reaper.time_precise () + STEP_S
		for _, row in ipairs (rows) do
			if not row.over and reaper.time_precise () < until_s then
				local done, why = 1, nil
				if not reaper.ValidatePtr (row.region.project, "ReaProject*") then
					done, why = nil, "Its project was closed. Open it, and separate again."
				elseif row.sound.step then
					done, why = row.sound.step ()
				end
				if not done then
					end_of (row, why)
				elseif done == 1 then
					commit (row)
				else
					row.permille = done * 1000
				end
				if row.sound.step then break end -- which has taken its time
			end
		end
		local busy = false
		for _, row in ipairs (rows) do busy = busy or not row.over end
		if not busy then
			tools.window.close ()
			return false
		end
		if not shown then -- once: a window that the person has closed stays closed, and reading goes on
			shown = true
			tools.window.show (#rows)
		end
		if tools.window.open then
			for index in pairs (tools.window.draw (rows)) do
				end_of (rows[index])
				jobs.abandon (rows[index].id)
			end
		end
		return true
	end

	-- The script ends in the middle: what is half read is thrown away.
	function read.let_go ()
		for _, row in ipairs (rows) do
			if not row.over then
				end_of (row)
				jobs.abandon (row.id)
			end
		end
	end

	return read
end

return reading
