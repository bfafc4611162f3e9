"""Compares what `mora recommend --strategy krr -o json` said (first file) with what the peer said (second file)."""

import json
import sys

UNITS = {"m": 1, "": 1000, "k": 10**6, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def quantity(text, whole):
    """Millicores or bytes of a quantity; `whole` is what 1 without a unit is in them."""
    if not text or not text[0].isdigit():
        return None
    number = text.rstrip("mkKMGTi")
    unit = text[len(number):]
    return round(float(number) * (UNITS[unit] if unit else whole))


def main():
    ours, peers = {}, {}
    for row in json.load(open(sys.argv[1]))["rows"]:
        said = quantity(row["cpu"]["request"]["recommended"], 1000), quantity(row["memory"]["request"]["recommended"], 1)
        ours[row["namespace"], row["name"], row["container"]] = said
    for line in open(sys.argv[2]):
        row = json.loads(line)
        peers[row["namespace"], row["name"], row["container"]] = row["cpu"], row["memory"]
    print(f"{len(ours)} containers of MOrA, {len(peers)} of the peer, {len(ours.keys() & peers.keys())} of both")
    for place, name, near in [(0, "CPU", 1), (1, "memory", 2**20)]:
        pairs = [(key, ours[key][place], peers[key][place]) for key in sorted(ours.keys() & peers.keys())]
        same = [pair for pair in pairs if pair[1] == pair[2]]
        close = [pair for pair in pairs if pair not in same and None not in pair and abs(pair[1] - pair[2]) <= near]
        others = [pair for pair in pairs if pair not in same and pair not in close]
        print(f"{name}: {len(same)} the same, {len(close)} within {'1m' if place == 0 else '1 MiB'}, {len(others)} others")
        for key, our, peer in others[:5]:
            print(f"  {'/'.join(key)}: MOrA {our}, peer {peer}")


if __name__ == "__main__":
    main()
