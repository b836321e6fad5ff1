-- Stems become tracks right below the one they came from, at the very sample, in one undo step; and a stem that was
-- rendered again takes the place of the one before.

local import_stems = {}

local JOB, STEM = "P_EXT:zerostem_job", "P_EXT:zerostem_stem"
local REST = "rest" -- stems are known by their number: a project's file does not keep every kind of quotation mark
-- What a stem plays like its item: the sound was taken before these, so that stems and rest still add up to the item.
local OF_ITEM = { "D_VOL" }
local FADE_IN = { "D_FADEINLEN", "D_FADEINLEN_AUTO", "D_FADEINDIR", "C_FADEINSHAPE" }
local FADE_OUT = { "D_FADEOUTLEN", "D_FADEOUTLEN_AUTO", "D_FADEOUTDIR", "C_FADEOUTSHAPE" }
local OF_TAKE = { "D_VOL", "D_PAN", "D_PANLAW" }
local SAME_S = 1e-7

local function track_of (project, guid)
	for index = 0, reaper.CountTracks (project) - 1 do
		local track = reaper.GetTrack (project, index)
		if reaper.GetTrackGUID (track) == guid then return track end
	end
end

local function item_guid (item)
	local _, guid = reaper.GetSetMediaItemInfo_String (item, "GUID", "", false)
	return guid
end

-- What has to be remembered of a region until its stems come, as the ledger keeps it.
function import_stems.record (region, offset, wanted)
	local record = {
		track = reaper.GetTrackGUID (region.track),
		start = region.start,
		stop = region.stop,
		offset = offset,
		mute = wanted.mute and 1 or 0,
		folder = wanted.folder and 1 or 0,
		gain = wanted.gain_db or 0,
	}
	if not region.item then return record end
	record.item = item_guid (region.item)
	if wanted.heard or not region.take then return record end -- volume and fades are in the sound
	local function keep (keys)
		for _, key in ipairs (keys) do record["item:" .. key] = reaper.GetMediaItemInfo_Value (region.item, key) end
	end
	local first = reaper.GetMediaItemInfo_Value (region.item, "D_POSITION")
	local last = first + reaper.GetMediaItemInfo_Value (region.item, "D_LENGTH")
	keep (OF_ITEM)
	if math.abs (region.start - first) < SAME_S then keep (FADE_IN) end
	if math.abs (region.stop - last) < SAME_S then keep (FADE_OUT) end
	for _, key in ipairs (OF_TAKE) do record["take:" .. key] = reaper.GetMediaItemTakeInfo_Value (region.take, key) end
	return record
end

local function add_item (track, record, id, stem)
	local item = reaper.AddMediaItemToTrack (track)
	local take = reaper.AddTakeToMediaItem (item)
	reaper.SetMediaItemTake_Source (take, stem.media)
	local plain = { D_POSITION = record.start, D_LENGTH = record.stop - record.start, B_LOOPSRC = 0,
		D_FADEINLEN = 0, D_FADEOUTLEN = 0 }
	for key, value in pairs (plain) do reaper.SetMediaItemInfo_Value (item, key, value) end
	reaper.SetMediaItemTakeInfo_Value (take, "D_STARTOFFS", record.offset)
	for key, value in pairs (record) do
		local kind, name = key:match ("^(%a+):([%a_]+)$")
		if kind == "item" then reaper.SetMediaItemInfo_Value (item, name, value) end
		if kind == "take" then reaper.SetMediaItemTakeInfo_Value (take, name, value) end
	end
	reaper.GetSetMediaItemTakeInfo_String (take, "P_NAME", stem.name, true)
	reaper.GetSetMediaItemInfo_String (item, JOB, id, true)
	reaper.GetSetMediaItemInfo_String (item, STEM, stem.rest and REST or tostring (stem.number), true)
end

-- An empty track at `index`, without anybody's default effects.
local function add_track (index, name, colour)
	reaper.InsertTrackAtIndex (index, false)
	local track = reaper.GetTrack (0, index)
	reaper.GetSetMediaTrackInfo_String (track, "P_NAME", name, true)
	if colour ~= 0 then reaper.SetMediaTrackInfo_Value (track, "I_CUSTOMCOLOR", colour) end
	return track
end

-- Mute what lies between start and stop: of the item, where one was selected, else of all items on the track.
local function mute (track, record)
	local overlapping = {}
	for index = 0, reaper.CountTrackMediaItems (track) - 1 do
		local item = reaper.GetTrackMediaItem (track, index)
		local first = reaper.GetMediaItemInfo_Value (item, "D_POSITION")
		local last = first + reaper.GetMediaItemInfo_Value (item, "D_LENGTH")
		local meant = not record.item or item_guid (item) == record.item
		if meant and first < record.stop - SAME_S and last > record.start + SAME_S then
			overlapping[#overlapping + 1] = { item, first, last }
		end
	end
	for _, each in ipairs (overlapping) do
		local item, first, last = each[1], each[2], each[3]
		if first < record.start - SAME_S then item = reaper.SplitMediaItem (item, record.start) or item end
		if last > record.stop + SAME_S then reaper.SplitMediaItem (item, record.stop) end
		reaper.SetMediaItemInfo_Value (item, "B_MUTE", 1)
	end
	return #overlapping > 0
end

-- The new tracks, below `source` (nil: at the end). They stay inside the folder that the source track is in.
local function add_tracks (project, source, record, id, stems)
	local index, depth, colour = reaper.CountTracks (project), 0, 0
	if source then
		index = math.floor (reaper.GetMediaTrackInfo_Value (source, "IP_TRACKNUMBER"))
		depth = math.floor (reaper.GetMediaTrackInfo_Value (source, "I_FOLDERDEPTH"))
		colour = math.floor (reaper.GetMediaTrackInfo_Value (source, "I_CUSTOMCOLOR"))
	end
	local last, levels = nil, 0
	if record.folder == 1 then
		local title = "Stems"
		if source then
			local _, name = reaper.GetTrackName (source)
			title = name .. " stems"
		end
		local parent = add_track (index, title, colour)
		reaper.SetMediaTrackInfo_Value (parent, "I_FOLDERDEPTH", 1)
		index, levels = index + 1, -1
	end
	for _, stem in ipairs (stems) do
		last = add_track (index, stem.name, colour)
		index = index + 1
		local channels = reaper.GetMediaSourceNumChannels (stem.media)
		if channels > 2 then reaper.SetMediaTrackInfo_Value (last, "I_NCHAN", channels + channels % 2) end
		if record.gain ~= 0 and not stem.rest then reaper.SetMediaTrackInfo_Value (last, "D_VOL", 10 ^ (record.gain / 20)) end
		add_item (last, record, id, stem)
	end
	if depth < 0 then -- the source closed its folder: now the last stem does
		reaper.SetMediaTrackInfo_Value (source, "I_FOLDERDEPTH", 0)
		levels = levels + depth
	end
	if levels ~= 0 then reaper.SetMediaTrackInfo_Value (last, "I_FOLDERDEPTH", levels) end
end

-- One undo step around `work`; whatever happens, REAPER's counters are as before. true, or nil and why not.
local function in_one_step (project, title, work)
	reaper.Undo_BeginBlock2 (project)
	reaper.PreventUIRefresh (1)
	local good, why = pcall (work)
	reaper.PreventUIRefresh (-1)
	reaper.TrackList_AdjustWindows (false)
	reaper.UpdateArrange ()
	reaper.Undo_EndBlock2 (project, title, -1)
	if not good and reaper.Undo_CanUndo2 (project) == title then reaper.Undo_DoUndo2 (project) end
	return good or nil, why
end

-- REAPER's media of all files, before anything is touched. true, or nil and a sentence.
local function open (stems)
	for _, stem in ipairs (stems) do
		local media = reaper.file_exists (stem.path) and reaper.PCM_Source_CreateFromFile (stem.path)
		if not media then
			for _, each in ipairs (stems) do
				if each.media then reaper.PCM_Source_Destroy (each.media) end
			end
			return nil, "The stem " .. stem.path .. " is missing or cannot be read. Separate the region again."
		end
		stem.media = media
	end
	return true
end

-- Bring a job's stems into the project, which is the one in front. A sentence about what is not as asked, or ""; nil and
-- a sentence where nothing could be done.
function import_stems.stems (project, id, record, stems)
	local good, why = open (stems)
	if not good then return nil, why end
	local source, note = track_of (project, record.track), ""
	if not source then note = "The track that these stems came from is gone: they are at the end." end
	good, why = in_one_step (project, "ZeroStem: separate by prompt", function ()
		add_tracks (project, source, record, id, stems)
		if source and record.mute == 1 and not mute (source, record) then
			note = "The item that these stems came from is gone: nothing was muted."
		end
	end)
	if not good then return nil, "REAPER has not taken the stems: " .. tostring (why) .. ". Import them again." end
	return note
end

-- The stem that is meant by the selection, out of those that we have brought in: { id =, number = }; nil and a sentence.
function import_stems.selected_stem ()
	local function tagged (item)
		local _, id = reaper.GetSetMediaItemInfo_String (item, JOB, "", false)
		local _, number = reaper.GetSetMediaItemInfo_String (item, STEM, "", false)
		if id ~= "" and tonumber (number) then return { id = id, number = tonumber (number) } end
	end
	for index = 0, reaper.CountSelectedMediaItems (0) - 1 do
		local stem = tagged (reaper.GetSelectedMediaItem (0, index))
		if stem then return stem end
	end
	for index = 0, reaper.CountSelectedTracks (0) - 1 do
		local track = reaper.GetSelectedTrack (0, index)
		for each = 0, reaper.CountTrackMediaItems (track) - 1 do
			local stem = tagged (reaper.GetTrackMediaItem (track, each))
			if stem then return stem end
		end
	end
	return nil, "No stem of ZeroStem's is selected. Select the track or the item of one; the rest follows by itself."
end

-- Give every item of a job the files that its stems have now, wherever the items lie by now. "" and what was
-- changed, a list with the `media` of each; nil and a sentence.
function import_stems.swap (project, id, stems)
	local files = {}
	for _, stem in ipairs (stems) do files[stem.rest and REST or tostring (stem.number)] = stem.path end
	local changes = {}
	for index = 0, reaper.CountMediaItems (project) - 1 do
		local item = reaper.GetMediaItem (project, index)
		local _, job = reaper.GetSetMediaItemInfo_String (item, JOB, "", false)
		local _, number = reaper.GetSetMediaItemInfo_String (item, STEM, "", false)
		local take = reaper.GetActiveTake (item)
		if job == id and files[number] and take then changes[#changes + 1] = { take = take, path = files[number] } end
	end
	if #changes == 0 then return nil, "The stem is no longer in the project. Import or separate it again." end
	local good, why = open (changes)
	if not good then return nil, why end
	local old = {}
	good, why = in_one_step (project, "ZeroStem: strength of a stem", function ()
		for _, change in ipairs (changes) do
			old[#old + 1] = reaper.GetMediaItemTake_Source (change.take)
			reaper.SetMediaItemTake_Source (change.take, change.media)
		end
	end)
	if not good then return nil, "REAPER has not taken the stem: " .. tostring (why) .. ". Set its strength again." end
	for _, source in ipairs (old) do reaper.PCM_Source_Destroy (source) end -- undo reads the file again by its name
	return "", changes
end

return import_stems
