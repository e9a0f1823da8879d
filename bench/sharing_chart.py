"""Draw the detector's figures as an SVG: recall of lasting sharing by world, at the notice and the case line."""

from xml.sax.saxutils import escape

WIDTH, LEFT, BAR, GAP, SCALE = 760, 150, 16, 50, 420
FONT = 'font-family="sans-serif" font-size="13"'


def chart(rows: dict[str, tuple[float, float, float]]) -> str:
    """Draw one pair of bars for each world: recall at the case line, false rate there, recall at the notice line."""
    height = 70 + GAP * len(rows)
    goal = LEFT + 0.75 * SCALE
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" {FONT}>',
        "<title>Recall of lasting sharing by simulated world</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        '<text x="12" y="22" font-weight="bold">Lasting sharing found, by world the detector was not fitted on</text>',
    ]
    for index, (name, (case, rate, notice)) in enumerate(rows.items()):
        y = 40 + GAP * index
        told = f"case {case:.2f} at {rate:.2f} false per 1,000 a month"
        out += [
            f'<text x="{LEFT - 8}" y="{y + 21}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{notice * SCALE:.0f}" height="{BAR}" fill="#a9aeb1"/>',
            f'<text x="{LEFT + notice * SCALE + 6:.0f}" y="{y + 13}">notice {notice:.2f}</text>',
            f'<rect x="{LEFT}" y="{y + BAR + 2}" width="{case * SCALE:.0f}" height="{BAR}" fill="#005ea2"/>',
            f'<text x="{LEFT + case * SCALE + 6:.0f}" y="{y + BAR + 15}">{told}</text>',
        ]
    out += [
        f'<line x1="{goal}" y1="32" x2="{goal}" y2="{height - 26}" stroke="#b50909" stroke-dasharray="4 3"/>',
        f'<text x="{goal}" y="{height - 10}" text-anchor="middle" fill="#b50909">goal at the case line: 0.75</text>',
        "</svg>",
    ]
    return "\n".join(out) + "\n"
