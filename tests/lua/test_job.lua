-- A job as host scripts make it and look at it.

local t = ...
local json, job = t.module ("json"), t.module ("job")

local function jobs_in (folder, asked)
	local facts = { command = { "zerostem" }, spool = folder, engine_file = folder .. "/engine.json", host = "reaper" }
	return job.new (json, facts, {
		make_folder = function (path) return os.execute ("mkdir -p '" .. path .. "'") and true end,
		run = function (words) asked[#asked + 1] = words end,
		random = function () return 0xABCD1234567 end,
		now = function () return 0 end,
	})
end

t.test ("sounds are named by commas, each once", function ()
	t.same (job.prompts (" drums,  a female voice ,"), { "drums", "a female voice" })
	t.same (job.prompts (""), {})
	for _, text in ipairs ({ "drums, Drums", "a/b", "a\\b", "two\nlines", ("x"):rep (501), "bad \xff" }) do
		local prompts, why = job.prompts (text)
		t.same (prompts, nil)
		t.same (type (why), "string")
	end
end)

t.test ("a strength is a share or a percentage", function ()
	t.same ({ job.strength ("70"), job.strength ("70 %"), job.strength ("0.7") }, { 0.7, 0.7, 0.7 })
	for _, text in ipairs ({ "", "x", "-1", "101", "1e3" }) do
		local strength, why = job.strength (text)
		t.same (strength, nil)
		t.same (type (why), "string")
	end
end)

t.test ("a job is a folder with its request that appears at once, and then the daemon is told", function ()
	local folder, asked = t.folder (), {}
	local jobs = jobs_in (folder, asked)
	local id = jobs.id ()
	local aside = assert (jobs.begin (id))
	local region = assert (io.open (aside .. "/region.wav", "wb"))
	region:write ("RIFF")
	region:close ()
	t.same (io.open (folder .. "/" .. id .. "/request.json"), nil)
	assert (jobs.commit (id, { stems = { { prompt = "drums", strength = 0.5 } }, settings = {}, preset = "",
		region = { start = 12, rate = 48000 }, name = "Song" }))
	local file = assert (io.open (folder .. "/" .. id .. "/request.json", "rb"))
	local request = assert (json.decode (file:read ("a")))
	file:close ()
	t.same ({ request.name, request.stems[1].prompt, request.region.start }, { "Song", "drums", 12 })
	jobs.ring (id)
	t.same (asked, { { "zerostem", "ring", id } })
end)
