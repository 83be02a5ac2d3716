"""Runs a command at a terminal of its own, answers what it asks, and prints what the terminal shows.

terminal.py COLUMNS DIALOGUE COMMAND…  where DIALOGUE is JSON: [[what is waited for, what is typed then], …]
"""
import fcntl, json, os, pty, re, select, struct, sys, termios

columns, dialogue, command = int(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3:]
pid, terminal = pty.fork()
if pid == 0:
    # Before the command looks.
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    os.execvp(command[0], command)
shown, seen = b"", 0
while True:
    select.select([terminal], [], [])
    try:
        part = os.read(terminal, 65536)
    except OSError:
        break
    if not part:
        break
    shown += part
    while dialogue:
        found = re.search(dialogue[0][0].encode(), shown[seen:])
        if not found:
            break
        seen += found.end()
        os.write(terminal, dialogue.pop(0)[1].encode())
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(shown)
sys.stdout.flush()
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
