"""What becomes of alerts is in the store, also where it was away for long."""

from headgate.alerts.alert import new
from headgate.alerts.book import MOST, Book
from headgate.alerts.history import one
from headgate.alerts.rule import Rule
from headgate.store.database import connect


async def test_signs_of_life_leave_room_for_what_happens_while_the_store_is_away(tmp_path):
    database = connect(f"sqlite:///{tmp_path}/later/store.db")
    book, alert = Book(database, "me"), new(Rule(name="x", measure="spend"), {}, 1.0, "me")
    book.alert(alert, 1.0)
    await book.flush()
    assert book.why is not None
    for _ in range(MOST):
        book.alive([alert], 2.0)
    book.happened(alert.id, "told", "ops: firing", 3.0)
    (tmp_path / "later").mkdir()
    await book.flush()
    found = await one(database, alert.id)
    assert found is not None
    assert [each.what for each in found[1]] == ["told"]
    await book.close()
