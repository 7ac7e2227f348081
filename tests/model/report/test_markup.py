"""HTML from text that nobody can trust."""

from model.report.markup import Html, element, join, number, section, table


def test_text_and_attributes_are_escaped_and_html_is_not() -> None:
    inside = element("b", "<i>", title='"quoted"')

    assert inside == '<b title="&quot;quoted&quot;">&lt;i&gt;</b>'
    assert element("p", inside, " & ", 7, None) == f"<p>{inside} &amp; 7</p>"


def test_what_was_cut_out_of_html_is_text_again() -> None:
    assert element("p", Html("<b>bold</b>")[:3]) == "<p>&lt;b&gt;</p>"
    assert join([f"{Html('<br>')}"]) == "&lt;br&gt;"


def test_a_heading_stands_over_figures_as_they_do() -> None:
    made = table(["set", "BLEU", ""], [["test", number("61.5")]])

    assert made == (
        '<div class="wide"><table><thead><tr><th scope="col">set</th><th scope="col" class="number">BLEU</th>'
        '<th scope="col"></th></tr></thead>'
        '<tbody><tr><td>test</td><td class="number">61.5</td></tr></tbody></table></div>'
    )


def test_a_section_without_anything_in_it_is_left_out() -> None:
    assert section("Empty", None, Html()) == ""
    assert section("One", Html("<p></p>"), None) == "<section><h2>One</h2><p></p></section>"
