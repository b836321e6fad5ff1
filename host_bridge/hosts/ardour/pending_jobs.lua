-- Which jobs a session has asked for, in a file beside the session: a session that was closed meanwhile finds them again.
-- A list of { id, track, channels, start, gain, region, mute, brought, made }: `track` and `region` are Ardour's own ids,
-- `start` counts the session's samples, `made` lists the ids of the tracks that were made for the stems.

local pending_jobs = {}

local SCHEMA = "zerostem-ardour/1"

local function file ()
	return ARDOUR.LuaAPI.build_filename (Session:path (), "zerostem.json")
end

function pending_jobs.read ()
	local found = io.open (file (), "rb")
	if not found then return {} end
	local told = json.decode (found:read ("a"))
	found:close ()
	return type (told) == "table" and told.schema == SCHEMA and told.jobs or {}
end

-- true, or nil and a sentence.
function pending_jobs.write (jobs)
	local aside = file () .. ".new"
	local text = json.encode ({ schema = SCHEMA, jobs = jobs })
	local made = io.open (aside, "wb")
	if made and text and made:write (text .. "\n") and made:close () then
		if os.rename (aside, file ()) then return true end
		os.remove (file ()) -- Windows renames onto nothing
		if os.rename (aside, file ()) then return true end
	end
	return nil, "The file " .. file () .. " cannot be written. Check the disk's space and the session's permissions."
end

-- One job's entry as it is now; nil where there is none.
function pending_jobs.entry (id)
	for _, entry in ipairs (pending_jobs.read ()) do
		if entry.id == id then return entry end
	end
end

-- Change keys of one job's entry, and of no other: an import lets Ardour go on, and so another action do the same.
function pending_jobs.change (id, values)
	local entries = pending_jobs.read ()
	for _, entry in ipairs (entries) do
		if entry.id == id then
			for key, value in pairs (values) do entry[key] = value end
		end
	end
	return pending_jobs.write (entries)
end

return pending_jobs
