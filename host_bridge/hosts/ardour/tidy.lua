ardour {
	["type"] = "EditorAction", name = "ZeroStem: remove empty stem tracks", author = "ZeroStem", license = "MIT",
	description = [[Removes tracks that were made for stems and hold nothing any more, as after an undo. Ardour asks before.]],
}

function factory ()
--@include json.lua
--@include pending_jobs.lua
--@include import_stems.lua
--@include messages.lua
	local TURNS, TURN_US = 20, 20000

	-- Selects one track by going from track to track: handing its view to set_selection ends the program (Ardour 7.3).
	-- The window is there to let Ardour notice each step.
	local function selected (route, window)
		local wanted, steps = route:to_stateful ():id ():to_s (), Session:get_routes ():size () + 1
		for step = 1, steps do
			window:progress (step / steps, "Looking for " .. route:name ())
			local found, count
			for each in Editor:get_selection ().tracks:routelist ():iter () do
				found, count = each:to_stateful ():id ():to_s (), (count or 0) + 1
			end
			if found == wanted and count == 1 then return true end
			Editor:access_action ("Editor", "select-next-route")
		end
		return false
	end

	return function ()
		messages.guarded (function ()
			local empty = {}
			for _, entry in ipairs (pending_jobs.read ()) do
				for _, id in ipairs (entry.made or {}) do empty[#empty + 1] = import_stems.is_empty (id) end
			end
			if #empty == 0 then return messages.info ("No stem's track is empty.") end
			for _, route in ipairs (empty) do
				local window = LuaDialog.ProgressWindow ("ZeroStem", false)
				if selected (route, window) then
					Editor:remove_tracks () -- it asks as soon as Ardour is idle, and `progress` waits for the answer
					for _ = 1, TURNS do
						window:progress (1, "Asking")
						ARDOUR.LuaAPI.usleep (TURN_US)
					end
				end
				window:done ()
			end
		end)
	end
end
