"""The healthy VM of `bench fleet` as bare SimPy processes: fleet.py DAYS. Prints the events and the CPU seconds that they took."""

import sys
import time

import simpy


def probe(env, period, answer):
    while True:
        yield env.timeout(period - answer)
        yield env.timeout(answer)


def pets(env, period):
    while True:
        yield env.timeout(period)


days = int(sys.argv[1])
env = simpy.Environment()
env.process(probe(env, 10, 0.05))
env.process(probe(env, 10, 0.05))
env.process(pets(env, 10))
begun = time.process_time()
env.run(until=days * 86400)
print(days * 8640 * 5, time.process_time() - begun)
