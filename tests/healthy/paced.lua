-- Milliseconds that each connection of wrk waits before it asks again.
function delay()
   return math.random(10, 70)
end
