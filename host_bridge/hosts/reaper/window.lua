-- A small window that shows how far the jobs are, and stops them; to close it stops nothing.

local window = {}

local WIDTH, ROW, EDGE = 460, 44, 10
local ESCAPE, CLOSED = 27, -1
local BACK, TEXT, BAR, TROUGH = { 0.16, 0.17, 0.18 }, { 0.86, 0.87, 0.88 }, { 0.2, 0.55, 0.85 }, { 0.26, 0.27, 0.29 }

local function paint (colour, x, y, width, height)
	gfx.set (colour[1], colour[2], colour[3], 1)
	if width then gfx.rect (x, y, width, height, 1) else gfx.x, gfx.y = x, y end
end

local function write (colour, x, y, text)
	paint (colour, x, y)
	gfx.drawstr (text)
end

function window.new (title)
	local shown = { open = false, pressed = false }

	function shown.show (rows)
		if not shown.open then
			gfx.init (title, WIDTH, EDGE + ROW * math.max (1, math.min (rows, 8)), 0, 200, 200)
			gfx.setfont (1, "Arial", 14)
			shown.open = true
		end
	end

	function shown.close ()
		if shown.open then gfx.quit () end
		shown.open = false
	end

	-- Draw the rows: { name =, said =, permille =, over = }. Returns those that the person wants to stop, as a set of
	-- indices; all that are not over where Escape was pressed.
	function shown.draw (rows)
		local stopped, key = {}, gfx.getchar ()
		if key == CLOSED then
			shown.open = false
			return stopped
		end
		local down = gfx.mouse_cap % 2 == 1
		local clicked = down and not shown.pressed
		shown.pressed = down
		paint (BACK, 0, 0, gfx.w, gfx.h)
		for index, row in ipairs (rows) do
			local top, right = EDGE + (index - 1) * ROW, gfx.w - EDGE
			write (TEXT, EDGE, top, row.name .. ": " .. row.said)
			if not row.over then
				paint (TROUGH, EDGE, top + 22, gfx.w - 2 * EDGE - 60, 8)
				paint (BAR, EDGE, top + 22, (gfx.w - 2 * EDGE - 60) * row.permille / 1000, 8)
				write (TEXT, right - 44, top + 18, "Stop")
				local on = gfx.mouse_x > right - 50 and gfx.mouse_y > top + 14 and gfx.mouse_y < top + 36
				if key == ESCAPE or (clicked and on) then stopped[index] = true end
			end
		end
		gfx.update ()
		return stopped
	end

	return shown
end

return window
