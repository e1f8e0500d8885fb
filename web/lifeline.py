"""Lifelines: a child process holds a pipe to its parent and ends when the pipe does.

The kernel closes a dead parent's end whatever killed it, so that kill -9 leaves no orphan. (Linux's
parent-death signal would follow the thread that forked, not the process, and macOS has none.)
"""

from __future__ import annotations

from collections.abc import Sequence

# The command's own stdin is empty, and only the watch keeps the pipe: the command may itself start
# children, which must not hold it open. When the command ends first, so do the watch and the shell.
_UNTIL_EOF = """
exec 3<&0 </dev/null
"$@" 3<&- & command=$!
{ cat <&3 >/dev/null; kill -s "$0" $command; } 2>/dev/null & watch=$!
exec 3<&-
wait $command 2>/dev/null; status=$?
kill $watch 2>/dev/null
exit $status
"""


def tied(command: Sequence[str], ending: str = "KILL") -> list[str]:
    """The command line that runs `command` until its stdin ends, then sends it `ending`.

    Start it with `stdin=PIPE`; it exits as `command` does, once `command` has.
    """
    return ["/bin/sh", "-c", _UNTIL_EOF, ending, *command]
