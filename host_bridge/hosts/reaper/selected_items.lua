-- What the person has selected, as regions: a stretch of one item, or of one track.

local selected_items = {}

local NOTHING = "Nothing is selected. Select an item, or a track and a time range, and try again."

local function named (track)
	local _, name = reaper.GetTrackName (track)
	return name
end

-- Why an item's sound cannot be separated, in two sentences; nil where it can.
local function refusal (take, name)
	if not take then return "An item on “" .. name .. "” is empty. Select one with sound." end
	if reaper.TakeIsMIDI (take) then
		return "An item on “" .. name .. "” is MIDI. Render or freeze it first, or choose “As heard”."
	end
	local source = reaper.GetMediaItemTake_Source (take)
	local parent = source and reaper.GetMediaSourceParent (source)
	while parent do source, parent = parent, reaper.GetMediaSourceParent (parent) end
	local path = source and reaper.GetMediaSourceFileName (source) or ""
	if path == "" or not reaper.file_exists (path) then
		return "The file of an item on “" .. name .. "” is offline or missing. Bring it back, and try again."
	end
	return nil
end

local function of_items (first, last, heard)
	local regions, overlaps, why = {}, false, nil
	for index = 0, reaper.CountSelectedMediaItems (0) - 1 do
		local item = reaper.GetSelectedMediaItem (0, index)
		local start = reaper.GetMediaItemInfo_Value (item, "D_POSITION")
		local region = {
			item = item,
			take = reaper.GetActiveTake (item),
			track = reaper.GetMediaItem_Track (item),
			start = start,
			stop = start + reaper.GetMediaItemInfo_Value (item, "D_LENGTH"),
		}
		region.name = named (region.track)
		if last > first and region.start < last and region.stop > first then
			region.start, region.stop = math.max (region.start, first), math.min (region.stop, last)
			region.overlaps, overlaps = true, true
		end
		local trouble = not heard and refusal (region.take, region.name) or nil
		if not trouble and region.stop <= region.start then
			trouble = "An item on “" .. region.name .. "” has no length. Select another."
		end
		why = why or trouble
		if not trouble then regions[#regions + 1] = region end
	end
	if not overlaps then return regions, why end
	local kept = {} -- a time range across some of the items means those
	for _, region in ipairs (regions) do
		if region.overlaps then kept[#kept + 1] = region end
	end
	return kept, why
end

local function of_tracks (first, last)
	local regions = {}
	for index = 0, reaper.CountSelectedTracks (0) - 1 do
		local track = reaper.GetSelectedTrack (0, index)
		regions[#regions + 1] = { track = track, start = first, stop = last, name = named (track) }
	end
	return regions
end

-- The regions that are meant: selected items, or the part of them in the time selection; where no item is selected, the
-- time selection on each selected track. Second, a sentence about what had to be left out, or why there is nothing.
-- heard: the sound after all effects is wanted, so that it does not matter what an item is.
function selected_items.regions (heard)
	local first, last = reaper.GetSet_LoopTimeRange2 (0, false, false, 0, 0, false)
	if reaper.CountSelectedMediaItems (0) > 0 then return of_items (first, last, heard) end
	if reaper.CountSelectedTracks (0) == 0 then return {}, NOTHING end
	if last <= first then return {}, "A track is selected, but no time range. Drag one over the ruler, or select an item." end
	return of_tracks (first, last)
end

return selected_items
