-- A REAPER that works, for tests: strict where the real one is lenient, so that what runs here has no doubtful call.
-- An unknown function, too few or too many arguments, one of a wrong type, a pointer to what is gone: each is an error.
-- Time is its own: every call costs a little, reading sound costs by the sample, and the longest step is kept.

local signatures, model, parts = ...
local fake = {}
local secret = model.secret

function fake.new (options)
	local P = { clock = 0, longest = 0, steps = 0, messages = {}, console = "", executed = {}, answers = {}, asked = {},
		ext = {}, refresh = 0, depth = 0, scripts = {}, commands = {}, calls = {}, projects = {} }
	P.projects[1] = model.fresh_project (options.media, "")
	P.project = P.projects[1]
	local f = {}

	local function project (handle)
		return handle == 0 and P.project or secret[handle]
	end
	local function handle_at (list, index)
		return list[index + 1] and list[index + 1].handle or nil
	end
	local function selected (list)
		local found = {}
		for _, each in ipairs (list) do
			if each.selected then found[#found + 1] = each end
		end
		return found
	end
	local function all_items (of)
		local found = {}
		for _, track in ipairs (of.tracks) do
			for _, item in ipairs (track.items) do found[#found + 1] = item end
		end
		return found
	end
	local function read (values, key)
		if values[key] == nil then error ("no such value, " .. key, 3) end
		return values[key]
	end
	local function write (values, key, value)
		read (values, key)
		values[key] = value
		return true
	end

	function f.APIExists (name) return signatures[name] ~= nil end
	function f.time_precise () return P.clock end
	function f.genGuid ()
		return string.format ("{%08X-0000-4000-8000-%012X}", math.random (0, 0xFFFFFFFF), math.random (0, 0xFFFFFFFF))
	end
	function f.file_exists (path)
		local file = io.open (path, "rb")
		if file then file:close () end
		return file ~= nil
	end
	function f.RecursiveCreateDirectory (path)
		return os.execute ("mkdir -p '" .. path:gsub ("'", "'\\''") .. "' 2>/dev/null") and 1 or 0
	end
	function f.ExecProcess (command, wait)
		if wait ~= -2 then error ("this would keep REAPER waiting", 3) end
		P.executed[#P.executed + 1] = command
		if options.execute then os.execute (command .. " >/dev/null 2>>'" .. options.execute .. "' &") end
		return "0\n"
	end
	function f.ShowMessageBox (text)
		P.messages[#P.messages + 1] = text
		return 1
	end
	function f.ShowConsoleMsg (text) P.console = P.console .. text end
	function f.GetUserInputs (title, count, captions, values)
		local _, fields = (values .. "\n"):gsub ("\n", "")
		if fields ~= count then error (count .. " fields, but " .. fields .. " values", 3) end
		local _, named = captions:gsub ("[^,]+", "")
		if named ~= count + 2 or not captions:find (",separator=\n$") then error ("captions: " .. captions, 3) end
		P.asked[#P.asked + 1] = { title = title, captions = captions, values = values }
		local answer = table.remove (P.answers, 1)
		if not answer then return false, "" end
		return true, answer
	end

	-- What is remembered.
	function f.HasExtState (section, key) return P.ext[section .. "/" .. key] ~= nil end
	function f.GetExtState (section, key) return P.ext[section .. "/" .. key] or "" end
	function f.SetExtState (section, key, value)
		if value:find ("\n") then error ("a line end does not survive in reaper-extstate.ini", 3) end
		P.ext[section .. "/" .. key] = value ~= "" and value or nil
	end
	function f.GetProjExtState (of, section, key)
		local value = project (of).ext[section .. "/" .. key]
		return value and 1 or 0, value or ""
	end
	function f.SetProjExtState (of, section, key, value)
		if value:find ("[\n\"'`]") then error ("this may not survive in the project's file: " .. value, 3) end
		project (of).ext[section .. "/" .. key] = value ~= "" and value or nil
		return 1
	end
	function f.EnumProjExtState (of, section, index)
		local keys = {}
		for each in pairs (project (of).ext) do
			local key = each:match ("^" .. section .. "/(.*)$")
			if key then keys[#keys + 1] = key end
		end
		table.sort (keys)
		local key = keys[index + 1]
		if not key then return false, "", "" end
		return true, key, project (of).ext[section .. "/" .. key]
	end

	-- Projects, tracks, items.
	function f.EnumProjects (index)
		local found = index == -1 and P.project or P.projects[index + 1]
		if not found then return nil end
		return found.handle, found.name
	end
	function f.GetProjectPathEx (of) return project (of).path end
	function f.MarkProjectDirty (of) project (of).dirty = true end
	function f.ValidatePtr (pointer, kind)
		local data = secret[pointer]
		return data ~= nil and data.valid and data.kind == kind
	end
	function f.ValidatePtr2 (_, pointer, kind) return f.ValidatePtr (pointer, kind) end
	function f.CountTracks (of) return #project (of).tracks end
	function f.GetTrack (of, index) return handle_at (project (of).tracks, index) end
	function f.GetTrackGUID (track) return secret[track].guid end
	function f.GetTrackName (track)
		local data = secret[track]
		if data.name ~= "" then return true, data.name end
		for index, each in ipairs (P.project.tracks) do
			if each == data then return true, "Track " .. index end
		end
	end
	function f.InsertTrackAtIndex (index, with_defaults)
		if with_defaults then error ("a stem's track has nobody's default effects", 3) end
		if index < 0 or index > #P.project.tracks then error ("no track can be at " .. index, 3) end
		table.insert (P.project.tracks, index + 1, model.track ())
	end
	function f.GetMediaTrackInfo_Value (track, key)
		if key == "IP_TRACKNUMBER" then
			for index, each in ipairs (P.project.tracks) do
				if each.handle == track then return index + 0.0 end
			end
		end
		return read (secret[track].values, key)
	end
	function f.SetMediaTrackInfo_Value (track, key, value) return write (secret[track].values, key, value) end
	function f.GetSetMediaTrackInfo_String (track, key, value, set)
		if key ~= "P_NAME" then error ("no such text, " .. key, 3) end
		if set then secret[track].name = value end
		return true, secret[track].name
	end
	function f.CountSelectedTracks (of) return #selected (project (of).tracks) end
	function f.GetSelectedTrack (of, index) return handle_at (selected (project (of).tracks), index) end
	function f.SetTrackSelected (track, on) secret[track].selected = on end
	function f.SetOnlyTrackSelected (track)
		for _, each in ipairs (P.project.tracks) do each.selected = each.handle == track end
	end
	function f.GetSet_LoopTimeRange2 (of, set)
		if set then error ("nobody asked to move the time selection", 3) end
		return project (of).loop[1], project (of).loop[2]
	end
	function f.CountMediaItems (of) return #all_items (project (of)) end
	function f.GetMediaItem (of, index) return handle_at (all_items (project (of)), index) end
	function f.CountSelectedMediaItems (of) return #selected (all_items (project (of))) end
	function f.GetSelectedMediaItem (of, index) return handle_at (selected (all_items (project (of))), index) end
	function f.CountTrackMediaItems (track) return #secret[track].items end
	function f.GetTrackMediaItem (track, index) return handle_at (secret[track].items, index) end
	function f.GetMediaItem_Track (item) return secret[item].track.handle end
	function f.GetMediaItemInfo_Value (item, key) return read (secret[item].values, key) end
	function f.SetMediaItemInfo_Value (item, key, value) return write (secret[item].values, key, value) end
	function f.GetSetMediaItemInfo_String (item, key, value, set)
		local data = secret[item]
		if key == "GUID" then return true, data.guid end
		if value:find ("[\"'`\n]") then error ("this may not survive in the project's file: " .. value, 3) end
		if not key:find ("^P_EXT:[%w_]+$") then error ("no such text, " .. key, 3) end
		if set then data.ext[key] = value end
		return data.ext[key] ~= nil, data.ext[key] or ""
	end
	function f.AddMediaItemToTrack (track)
		local item = model.item (secret[track])
		table.insert (secret[track].items, item)
		return item.handle
	end
	function f.AddTakeToMediaItem (item)
		local take = model.take (secret[item])
		table.insert (secret[item].takes, take)
		return take.handle
	end
	function f.SplitMediaItem (item, position)
		local left = secret[item]
		local at = position - left.values.D_POSITION
		if at <= 0 or at >= left.values.D_LENGTH then return nil end
		local right = model.item (left.track)
		for key, value in pairs (left.values) do right.values[key] = value end
		right.values.D_POSITION, right.values.D_LENGTH = position, left.values.D_LENGTH - at
		left.values.D_LENGTH = at
		for _, take in ipairs (left.takes) do
			local copy = model.take (right)
			for key, value in pairs (take.values) do copy.values[key] = value end
			copy.source, copy.name = take.source, take.name
			copy.values.D_STARTOFFS = take.values.D_STARTOFFS + at * take.values.D_PLAYRATE
			table.insert (right.takes, copy)
		end
		table.insert (left.track.items, right)
		return right.handle
	end

	-- Takes and sources.
	function f.GetActiveTake (item) return handle_at (secret[item].takes, 0) end
	function f.TakeIsMIDI (take) return secret[take].midi or false end
	function f.TakeFX_GetCount (take) return secret[take].fx end
	function f.CountTakeEnvelopes (take) return secret[take].envelopes end
	function f.GetTakeNumStretchMarkers (take) return secret[take].markers end
	function f.GetMediaItemTakeInfo_Value (take, key) return read (secret[take].values, key) end
	function f.SetMediaItemTakeInfo_Value (take, key, value) return write (secret[take].values, key, value) end
	function f.GetSetMediaItemTakeInfo_String (take, key, value, set)
		if key ~= "P_NAME" then error ("no such text, " .. key, 3) end
		if set then secret[take].name = value end
		return true, secret[take].name
	end
	function f.GetMediaItemTake_Source (take) return secret[take].source and secret[take].source.handle end
	function f.SetMediaItemTake_Source (take, source)
		secret[take].source = secret[source]
		return true
	end
	function f.PCM_Source_CreateFromFile (path)
		local source = model.source (path)
		return source and source.handle
	end
	function f.PCM_Source_Destroy (source)
		for _, item in ipairs (all_items (P.project)) do
			for _, take in ipairs (item.takes) do
				if take.source == secret[source] then error ("a take still plays this source", 3) end
			end
		end
		secret[source].valid = false
	end
	function f.PCM_Source_BuildPeaks (source, mode)
		local data = secret[source]
		if mode == 0 then data.peaks = 3 else data.peaks = data.peaks - 1 end
		return math.max (data.peaks, 0)
	end
	function f.GetMediaSourceParent (source) return secret[source].parent and secret[source].parent.handle end
	function f.GetMediaSourceFileName (source) return secret[source].path or "" end
	function f.GetMediaSourceType (source) return secret[source].type end
	function f.GetMediaSourceNumChannels (source) return (secret[source].parent or secret[source]).sound.channels end
	function f.GetMediaSourceSampleRate (source) return (secret[source].parent or secret[source]).sound.rate end
	function f.GetMediaSourceLength (source)
		local sound = (secret[source].parent or secret[source]).sound
		return sound.frames / sound.rate, false
	end

	local shared = { P = P, options = options, project = project, read = read, write = write, selected = selected }
	for key, value in pairs (model) do shared[key] = value end
	for _, part in ipairs (parts) do part (f, shared) end
	P.make, P.items = model, all_items
	return P
end

return fake
