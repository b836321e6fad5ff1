-- Finished jobs of this session: their stems into it, each once; those that went wrong are told of.

local collect = {}

local function folder_of (stems)
	return stems[1] and stems[1].path:match ("^(.*)[/\\]") or "the spool"
end

-- One finished job's stems into the session; what a person should read of it.
local function brought_in (jobs, entry)
	local stems, absent = jobs.stems (entry.id)
	pending_jobs.change (entry.id, { brought = true }) -- before the import, which lets Ardour go on: the bell may ring again
	if not stems then return { absent } end
	local said = {}
	local good, made = pcall (import_stems.bring, entry, stems)
	if good then
		pending_jobs.change (entry.id, { made = made })
	else
		said[1] = tostring (made) .. ". The stems lie in " .. folder_of (stems) .. "."
	end
	if #absent > 0 then said[#said + 1] = "Not found in “" .. entry.name .. "”: " .. table.concat (absent, ", ") .. "." end
	return said
end

-- Returns how many jobs have ended, how many are still to come, and the sentences that a person should read.
function collect.all (jobs)
	local said, ended, waiting = {}, 0, 0
	for _, listed in ipairs (pending_jobs.read ()) do
		local entry = pending_jobs.entry (listed.id)
		local look, why = nil, nil
		if entry and not entry.brought then look, why = jobs.look (entry.id) end
		if look and look.state == "done" then
			ended = ended + 1
			for _, sentence in ipairs (brought_in (jobs, entry)) do said[#said + 1] = sentence end
		elseif look and not look.ended then
			waiting = waiting + 1
		elseif look or why then
			ended = ended + 1
			pending_jobs.change (entry.id, { brought = true })
			if why or look.state == "failed" then said[#said + 1] = why or look.said end
		end
	end
	return ended, waiting, said
end

return collect
