"""How long an end may take: its stages, one after the other, and what they add up to.

Whoever sends SIGTERM has waited 15 seconds at most when everything is gone, whatever peers and databases
do: each stage has its own limit, and the supervisor's covers theirs.
"""

DRAIN_SECONDS = 6.0  # goodbyes, and what is queued is committed
ANSWER_SECONDS = 2  # requests half-way are answered, closing frames taken; then they are cut off
PUT_AWAY_SECONDS = 4.0  # what was not committed by now, and the lounge is put away
STOP_SECONDS = (
    14.0  # all of a worker's stages, and two seconds for a busy machine; then it is killed
)

PROMISED_SECONDS = 15.0  # Valkey, which stores nothing, goes in the last of them

ABANDONED_SECONDS = 3.0  # a worker without a supervisor: nobody would wait for it
