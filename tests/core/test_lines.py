"""Lines: whoever stands in one is given a place once, also where another tenant is let in first."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from headgate.core.lines import Lines, Place

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["come", "come", "come", "next", "instead", "leave"]),
        st.sampled_from([-1, 0, 1]),
        st.sampled_from("abc"),
    ),
    max_size=40,
)


@given(STEPS)
async def test_nobody_is_lost_and_nobody_served_twice(steps):
    lines, waiting, served = Lines(), [], []
    for what, priority, tenant in steps:
        if what == "come":
            place = Place(asyncio.get_running_loop().create_future(), priority, tenant)
            waiting.append(place)
            lines.add(place)
        elif waiting and what == "leave":
            lines.remove(waiting.pop(0))
        elif waiting:
            place = lines.next()
            there = (priority, tenant) in lines.tenants()
            if what == "instead":
                other = lines.instead(place, priority, tenant)
                assert (other.priority, other.tenant) == (priority, tenant) if there else other is place
                if other is not place and place.priority == priority and place.tenant != tenant:
                    assert next(t for p, t in lines.tenants() if p == priority) == place.tenant, "it is next again"
                place = other
            waiting.remove(place)
            served.append(place)
        assert lines.waiting == len(waiting)
        assert set(lines.tenants()) == {(place.priority, place.tenant) for place in waiting}
    while lines.waiting:
        served.append(lines.next())
        waiting.remove(served[-1])
    assert not waiting
    assert len({id(place) for place in served}) == len(served)
