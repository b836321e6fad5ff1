ardour {
	["type"] = "EditorAction", name = "ZeroStem: open panel", author = "ZeroStem", license = "MIT",
	description = [[Opens the window that shows all jobs.]],
}

function factory ()
--@include json.lua
--@include job.lua
--@facts
FACTS.host = "ardour"
--@include machine.lua
--@include say.lua
	return function ()
		say.guarded (function ()
			local jobs = job.new (json, FACTS, machine)
			local good, why = jobs.installed ()
			if not good then return say.trouble (why) end
			jobs.call ("panel")
		end)
	end
end
