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
--@include messages.lua
	return function ()
		messages.guarded (function ()
			local jobs = job.new (json, FACTS, machine)
			local good, why = jobs.installed ()
			if not good then return messages.trouble (why) end
			jobs.call ("panel")
		end)
	end
end
