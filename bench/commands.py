#!/usr/bin/env python3
"""How long commands take with 100 services, beside an empty run of Node and, where given, PM2.

    bench/commands.py target/release/zelador [--pm2 node_modules/.bin/pm2] [--services 100] [--runs 15]

Every figure is the best and the median of its runs, in milliseconds, and the best as a part of what
`node -e 0` took in the same minute: that part stays the same on a fast host and on a busy one. Homes are
temporary folders, and everything that was started is stopped.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time

COMMANDS = [
    "--version", "--help", "ping", "list", "jlist", "prettylist", "show app5", "pid", "id app7", "env app3",
    "incidents", "save", "reset app9", "logs app1 --nostream", "conf",
]
OF_BOTH = ["--version", "ping", "list", "jlist", "show app5"]


def best_and_median(words, runs, env):
    """Runs a command again and again; the first run, which fills caches, does not count."""
    took = []
    for _ in range(runs + 1):
        begun = time.perf_counter()
        done = subprocess.run(words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False)
        took.append((time.perf_counter() - begun) * 1000)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(words)} ended with {done.returncode}")
    took = sorted(took[1:])
    return took[0], took[len(took) // 2]


def measured(name, program, commands, runs, env, node):
    print(f"\n{name:<28}{'best':>10}{'median':>10}{'of node':>10}")
    for command in commands:
        best, median = best_and_median([program, *command.split()], runs, env)
        print(f"{command:<28}{best:>8.1f}ms{median:>8.1f}ms{best / node:>10.2f}")


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("zelador")
    asked.add_argument("--pm2")
    asked.add_argument("--services", type=int, default=100)
    asked.add_argument("--runs", type=int, default=15)
    asked = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        apps = [{"name": f"app{number}", "script": "sleep", "args": "100000", "interpreter": "none"}
                for number in range(asked.services)]
        file = os.path.join(folder, "ecosystem.json")
        with open(file, "w", encoding="utf-8") as out:
            json.dump({"apps": apps}, out)
        node, _ = best_and_median(["node", "-e", "0"], asked.runs, os.environ)
        print(f"node -e 0: {node:.1f} ms; {asked.services} services, {asked.runs} runs")
        programs = [("zelador", os.path.abspath(asked.zelador), COMMANDS, "ZELADOR_HOME")]
        if asked.pm2:
            programs.append(("pm2", os.path.abspath(asked.pm2), OF_BOTH, "PM2_HOME"))
        for name, program, commands, variable in programs:
            env = dict(os.environ, ZELADOR_HTTP="off", **{variable: os.path.join(folder, name)})
            subprocess.run([program, "start", file], env=env, stdout=subprocess.DEVNULL, check=True)
            try:
                measured(name, program, commands, asked.runs if name == "zelador" else 5, env, node)
            finally:
                subprocess.run([program, "kill"], env=env, stdout=subprocess.DEVNULL, check=False)


if __name__ == "__main__":
    main()
