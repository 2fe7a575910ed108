from headgate.core.columns import Column, table

COLUMNS = (Column("NAME", 0), Column("SIZE", 2, right=True), Column("WHAT", 1))
ROWS = [["a", "10", "first"], ["longer", "5", ""]]


def test_cells_stand_under_their_titles():
    assert list(table(COLUMNS, ROWS, None)) == ["NAME    SIZE  WHAT", "a         10  first", "longer     5"]


def test_what_ranks_last_goes_first_where_there_is_no_room():
    assert list(table(COLUMNS, ROWS, 18)) == ["NAME    WHAT", "a       first", "longer"]
    assert list(table(COLUMNS, ROWS, 10)) == ["NAME", "a", "longer"]


def test_the_name_stays_however_narrow_it_is():
    assert list(table(COLUMNS, ROWS, 2)) == ["NAME", "a", "longer"]


def test_without_rows_there_are_titles():
    assert list(table(COLUMNS, [], None)) == ["NAME  SIZE  WHAT"]
