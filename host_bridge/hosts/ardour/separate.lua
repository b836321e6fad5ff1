ardour {
	["type"] = "EditorAction", name = "ZeroStem: separate by prompt...", author = "ZeroStem", license = "MIT",
	description = [[Takes sounds that you name out of the selected regions, and brings them in as new tracks.]],
}

-- Named sounds make an action that asks nothing: "drums, bass" on a button of its own.
function action_params ()
	return {
		["sounds"] = { title = "Sounds, with commas between; empty: ask each time", default = "", optional = true },
		["heard"] = { title = "As heard, with plugins and fader (yes/no)", default = "no", optional = true },
		["wait"] = { title = "Wait for the stems (yes/no)", default = "yes", optional = true },
	}
end

function factory (params)
--@include json.lua
--@include job.lua
--@facts
FACTS.host = "ardour"
--@include machine.lua
--@include pending_jobs.lua
--@include selected_regions.lua
--@include import_stems.lua
--@include collect.lua
--@include messages.lua
--@include wait.lua
	local remembered = { sounds = "", strength = 100, rest = true, heard = false, mute = false, wait = true }

	local function asked ()
		if params and params.sounds and params.sounds ~= "" then
			return {
				sounds = params.sounds, strength = 100, rest = true,
				heard = params.heard == "yes", wait = params.wait ~= "no",
			}
		end
		return LuaDialog.Dialog ("ZeroStem: separate by prompt", {
			{ type = "entry", key = "sounds", title = "Sounds, with commas between", default = remembered.sounds },
			{ type = "slider", key = "strength", title = "Strength in %", min = 0, max = 100, digits = 0,
				default = remembered.strength },
			{ type = "checkbox", key = "rest", title = "Bring in the rest, too", default = remembered.rest },
			{ type = "checkbox", key = "heard", title = "As heard, with plugins and fader", default = remembered.heard },
			{ type = "checkbox", key = "mute", title = "Mute the source region then", default = remembered.mute },
			{ type = "checkbox", key = "wait", title = "Wait here, and see how far it is", default = remembered.wait },
			{ type = "label", title = "Without waiting they come in by themselves if OSC is enabled, else by an action of the menu." },
			{ type = "label", title = "Undo takes the stems out again; it leaves their empty tracks, which an action removes." },
		}):run ()
	end

	local function submitted (jobs, chosen, stems, answer)
		local id, name = jobs.id (), job.name (chosen.name)
		local entries = pending_jobs.read ()
		entries[#entries + 1] = {
			id = id, track = chosen.track:to_stateful ():id ():to_s (), channels = #chosen.source, start = chosen.start,
			gain = chosen.gain, region = chosen.region_id, mute = answer.mute == true, brought = false, name = name,
		}
		local good, why = jobs.begin (id)
		if good then good, why = pending_jobs.write (entries) end
		if good then
			good, why = jobs.commit (id, {
				stems = stems, source = chosen.source, name = name,
				region = { start = chosen.start, rate = math.tointeger (Session:nominal_sample_rate ()) },
				settings = { rest = answer.rest },
			})
		end
		if not good then
			pending_jobs.change (id, { brought = true })
			return nil, why
		end
		jobs.ring (id)
		return id
	end

	local function separate ()
		local jobs = job.new (json, FACTS, machine)
		local good, why = jobs.installed ()
		if not good then return messages.trouble (why) end
		if not selected_regions.anything () then return messages.info ("No sound is selected. Select a region, or a range on a track.") end
		local answer = asked ()
		if not answer then return end
		remembered = answer
		local prompts, trouble = job.prompts (answer.sounds)
		if not prompts then return messages.info (trouble) end
		if #prompts == 0 then return messages.info ("No sound is named. Write what you want to hear alone, such as drums.") end
		local chosen, nothing = selected_regions.selected (answer.heard)
		if not chosen then return messages.info (nothing) end
		local stems = {}
		for _, prompt in ipairs (prompts) do stems[#stems + 1] = { prompt = prompt, strength = answer.strength / 100 } end
		local ids = {}
		for _, each in ipairs (chosen) do
			local id, sentence = submitted (jobs, each, stems, answer)
			if not id then return messages.trouble (sentence) end
			ids[#ids + 1] = id
		end
		if answer.wait then wait.until_ended (jobs, ids) end
	end

	return function () messages.guarded (separate) end
end
