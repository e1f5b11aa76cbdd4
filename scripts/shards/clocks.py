"""How well merged stamps are on one clock: a user's departures against the arrivals of its connection in the engine's record. The two clocks
differ by some time, which is to be the same for the users of all generators.
    clocks.py MERGED RECORD_OF_A RECORD_OF_B PART...
"""
import collections
import csv
import statistics
import sys

MOST_MS = 2.0
# Three generators and the engine share what cores there are, perhaps with others.
TOGETHER_MS = 100.0


def by(rows, key, time):
    times = collections.defaultdict(list)
    for row in rows:
        times[row[key]].append(float(row[time]) / 1e3)
    return {who: sorted(of_one) for who, of_one in times.items()}


def rows_of(folder, target):
    with open(f"{folder}/samples.csv", newline="") as file:
        return [row for row in csv.DictReader(file) if row["target"] == target and row["phase"] == "measure" and row["outcome"] == "ok"]


def offsets(sent, arrived):
    """Engine's clock less loadcmp's, by user: a user's connection is the one whose arrivals are always as much later."""
    def later(departures, arrivals):
        # Requests before the measured part came by the same connection.
        return [arrived - sent for sent, arrived in zip(reversed(departures), reversed(arrivals))]
    by_user = {}
    for user, departures in sent.items():
        fits = [later(departures, arrivals) for arrivals in arrived.values() if len(arrivals) >= len(departures)]
        by_user[user] = statistics.median(min(fits, key=lambda fit: statistics.pstdev(fit)))
    return by_user


merged, *records = sys.argv[1:4]
parts = sys.argv[4:]
failed = False
for target, record in zip("ab", records):
    with open(record, newline="") as file:
        served = [row for row in csv.DictReader(file) if row["first_token_us"]]
    arrived = by(served, "connection", "arrived_us")
    rows = rows_of(merged, target)
    users = by(rows, "user", "sent_us")
    found = offsets(users, arrived)
    alone = [statistics.median(offsets(by(rows_of(part, target), "user", "sent_us"), arrived).values()) for part in parts]
    spread = max(found.values()) - min(found.values())
    firsts = [times[0] for times in by(rows, "shard", "sent_us").values()]
    together = max(firsts) - min(firsts)
    good = len(found) == 9 and spread <= MOST_MS and together <= TOGETHER_MS
    failed |= not good
    print(f"{'ok' if good else 'FAILED'}: {len(users)} users of {len(parts)} generators, `{target}`: their clocks differed by {max(alone) - min(alone):.0f} "
          f"ms, merged by {spread:.2f} ms; their first requests left within {together:.2f} ms")
sys.exit(failed)
