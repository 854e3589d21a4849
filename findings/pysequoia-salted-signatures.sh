#!/usr/bin/env bash
# pysequoia 0.1.35 (Sequoia's Rust library): two signatures of one Ed25519 key over the same bytes, made in the same
# second, differ, and their last parts differ too. Ed25519 itself is deterministic, so a second signature looks like the
# same work for the same result.
#
# Sequoia puts a random salt into each signature of OpenPGP version 4, as the notation salt@notations.sequoia-pgp.org
# among the signed subpackets. So signatures cannot be compared to find repeated requests, and tests of signed bytes need
# recorded signatures.
#
# Output seen: "same creation time: True, equal: False, both valid: True, salted: True".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pysequoia==0.1.35
"$folder/venv/bin/python" - <<'PYTHON'
import pysequoia

key = pysequoia.Tsk.generate(user_id="automation")
certificate, data = key.extract_certificate(), b"the same bytes"


def signature():
    return pysequoia.sign(key.signer(), data, mode=pysequoia.SignatureMode.DETACHED, armor=False)


def valid(made):
    parsed = pysequoia.Sig.from_bytes(made)
    return len(pysequoia.verify(bytes=data, store=lambda _: [certificate], signature=parsed).valid_sigs) == 1


while True:  # until both are of one second
    first, second = signature(), signature()
    created = [pysequoia.Sig.from_bytes(made).created for made in (first, second)]
    if created[0] == created[1]:
        break
salted = all(b"salt@notations.sequoia-pgp.org" in made for made in (first, second))
both = valid(first) and valid(second)
print(f"same creation time: True, equal: {first == second}, both valid: {both}, salted: {salted}")
assert (first == second, first[-32:] == second[-32:], both, salted) == (False, False, True, True)
PYTHON
