-- The jobs that a project waits for, kept in the project itself: their stems arrive although the script was closed, or
-- the project was. One entry per job, so that two scripts never write over each other.

local pending_jobs = {}

local SECTION = "ZeroStem"

-- Values are numbers, or texts without blanks such as a GUID: a project's file holds such a line as it is.
local function written (record)
	local parts = {}
	for key, value in pairs (record) do
		parts[#parts + 1] = key .. "=" .. (type (value) == "number" and string.format ("%.17g", value) or value)
	end
	table.sort (parts)
	return table.concat (parts, " ")
end

local function read (text)
	local record = {}
	for key, value in text:gmatch ("([^ =]+)=([^ ]*)") do
		record[key] = tonumber (value) or value
	end
	return record
end

function pending_jobs.add (project, id, record)
	reaper.SetProjExtState (project, SECTION, id, written (record))
	reaper.MarkProjectDirty (project)
end

-- A job's record, which stays; nil where the project does not wait for it.
function pending_jobs.look (project, id)
	local found, text = reaper.GetProjExtState (project, SECTION, id)
	return found ~= 0 and read (text) or nil
end

-- Take a job out, for whoever brings its stems in: only the first one to ask gets its record.
function pending_jobs.take (project, id)
	local record = pending_jobs.look (project, id)
	if not record then return nil end
	reaper.SetProjExtState (project, SECTION, id, "")
	reaper.MarkProjectDirty (project)
	return record
end

function pending_jobs.has (project, id)
	return reaper.GetProjExtState (project, SECTION, id) ~= 0
end

-- The ids of all jobs that the project waits for, the oldest first.
function pending_jobs.ids (project)
	local ids, index = {}, 0
	while true do
		local more, id = reaper.EnumProjExtState (project, SECTION, index)
		if not more then break end
		ids[#ids + 1], index = id:lower (), index + 1 -- in case that REAPER takes keys for words in capitals
	end
	table.sort (ids)
	return ids
end

return pending_jobs
