"""What signs checkpoints is made once, sealed, sealed anew with another key, and never taken for another's."""

from headgate.store.sealing import OwnKey, Seal
from headgate.store.signing import genuine, identity, own, reseal, signer

OLD, NEW = OwnKey(b"a" * 32), OwnKey(b"b" * 32)


async def test_a_signature_is_of_one_key_and_one_message(database):
    one = await signer(database, Seal([OLD]))
    signature = one.sign(b"this")
    assert identity(one.public) == one.id
    assert genuine(one.public, b"this", signature)
    assert not genuine(one.public, b"that", signature)
    assert not genuine("A" * 43 + "=", b"this", signature)
    assert not genuine("no key", b"this", signature)
    assert (await signer(database, Seal([OLD]))).public == one.public


async def test_it_is_sealed_with_the_key_in_use(database):
    one = await signer(database, Seal([OLD]))
    both = Seal([NEW, OLD])
    assert await reseal(database, both) == 1
    assert await reseal(database, both) == 0
    assert await own(database, Seal([NEW])) == {one.id: one.public}
    assert await own(database, Seal([OLD])) == {}


async def test_another_is_made_where_none_can_be_opened(database):
    one = await signer(database, Seal([OLD]))
    other = await signer(database, Seal([NEW]))
    assert other.public != one.public
    assert await own(database, Seal([NEW])) == {other.id: other.public}


async def test_a_public_key_that_somebody_put_there_is_not_ours(database):
    seal = Seal([OLD])
    one = await signer(database, seal)
    stranger = "A" * 43 + "="
    ((sealed,),) = await database.rows("SELECT sealed FROM signing_keys")
    await database.run("INSERT INTO signing_keys VALUES (?, ?, ?, ?)", identity(stranger), stranger, sealed, 1e12)
    assert await own(database, seal) == {one.id: one.public}
    assert (await signer(database, seal)).id == one.id
