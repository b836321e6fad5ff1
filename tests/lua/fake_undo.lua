-- Undo in the strict REAPER, and the counters that must come out even.

-- Put the functions into `f`. shared: what the parts of the fake have together.
return function (f, shared)
	local P, project = shared.P, shared.project
	local track_of, item_of, take_of, source_of = shared.track, shared.item, shared.take, shared.source

	-- Undo: a picture of all tracks before each step. What comes back has new pointers, as in REAPER.
	local function picture ()
		local tracks = {}
		for index, track in ipairs (P.project.tracks) do
			local kept = { name = track.name, guid = track.guid, selected = track.selected, values = {}, items = {} }
			for key, value in pairs (track.values) do kept.values[key] = value end
			for _, item in ipairs (track.items) do
				local one = { guid = item.guid, selected = item.selected, values = {}, ext = {}, takes = {} }
				for key, value in pairs (item.values) do one.values[key] = value end
				for key, value in pairs (item.ext) do one.ext[key] = value end
				for _, take in ipairs (item.takes) do
					local played = { name = take.name, midi = take.midi, fx = take.fx, path = take.source and take.source.path, values = {} }
					for key, value in pairs (take.values) do played.values[key] = value end
					one.takes[#one.takes + 1] = played
				end
				kept.items[#kept.items + 1] = one
			end
			tracks[index] = kept
		end
		return tracks
	end
	local function restore (tracks)
		P.project.tracks = {}
		for index, kept in ipairs (tracks) do
			local track = track_of ()
			for key, value in pairs (kept) do
				if key ~= "items" then track[key] = value end
			end
			for _, one in ipairs (kept.items) do
				local item = item_of (track)
				for key, value in pairs (one) do
					if key ~= "takes" then item[key] = value end
				end
				for _, played in ipairs (one.takes) do
					local take = take_of (item)
					take.name, take.midi, take.fx, take.values = played.name, played.midi, played.fx, played.values
					take.source = played.path and source_of (played.path)
					table.insert (item.takes, take)
				end
				table.insert (track.items, item)
			end
			P.project.tracks[index] = track
		end
	end
	function f.Undo_BeginBlock2 ()
		P.depth = P.depth + 1
		P.before = P.depth == 1 and picture () or P.before
	end
	function f.Undo_EndBlock2 (of, title)
		P.depth = P.depth - 1
		if P.depth < 0 then error ("an undo block ends that was not begun", 3) end
		table.insert (project (of).undo, { title = title, before = P.before })
	end
	function f.Undo_CanUndo2 (of)
		local undo = project (of).undo
		return #undo > 0 and undo[#undo].title or nil
	end
	function f.Undo_DoUndo2 (of)
		local step = table.remove (project (of).undo)
		if not step then return 0 end
		restore (step.before)
		return 1
	end
	function f.PreventUIRefresh (by) P.refresh = P.refresh + by end
	function f.TrackList_AdjustWindows () end
	function f.UpdateArrange () end
end
