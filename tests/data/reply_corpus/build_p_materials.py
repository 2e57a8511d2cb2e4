"""Writes the long materials of the part `prose` again (same bytes every time)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

HERE = Path(__file__).parent
WORDS = json.loads((HERE / "build_p_materials.json").read_text(encoding="utf-8"))
T = TypeVar("T")


class Dice:
    """A small generator of numbers that is the same under every Python."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def below(self, limit: int) -> int:
        """A number from 0 to limit - 1."""
        self.state = (self.state * 1103515245 + 12345) % 2**31
        return (self.state >> 8) % limit

    def pick(self, values: Sequence[T]) -> T:
        """One of the values."""
        return values[self.below(len(values))]


def server_log() -> list[str]:
    """A day of a web server, with one outage in the afternoon."""
    dice, words = Dice(11), WORDS["server_log"]
    lines = []
    for number in range(720):
        minute = number * 2
        stamp = f"2026-04-08T{minute // 60:02d}:{minute % 60:02d}:{dice.below(60):02d}Z"
        status, took = ("200", 20 + dice.below(180))
        if dice.below(40) == 0:
            status = "404"
        if 15 * 60 + 20 <= minute < 15 * 60 + 44:
            status, took = ("503", 5000 + dice.below(900))
        host, path = dice.pick(words["hosts"]), dice.pick(words["paths"])
        request = f"status={status} ms={took} req={number + 40000}"
        lines.append(f"{stamp} {host} INFO GET {path} {request}")
    for place, line in sorted(words["extra"], reverse=True):
        lines.insert(place, line)
    return lines


def inventory() -> list[str]:
    """A table of 640 articles of a hardware shop."""
    dice, words = Dice(23), WORDS["inventory"]
    rows = ["sku,article,shelf,stock,minimum,price_eur,supplier"]
    for number in range(640):
        kind, thing = dice.pick(words["kinds"]), dice.pick(words["things"])
        name = f"{kind} {thing} {4 + dice.below(60)} mm"
        place = f"{dice.pick(words['shelves'])}-{1 + dice.below(24):02d}"
        price = f"{1 + dice.below(29)}.{dice.below(100):02d}"
        amounts = f"{5 + dice.below(300)},{5 + dice.below(40)},{price}"
        rows.append(f"HW-{1000 + number},{name},{place},{amounts},{dice.pick(words['suppliers'])}")
    rows[200] = "HW-1199,brass ship bell 180 mm,E-24,0,1,148.50,Ibsen & Co"
    rows[333] = "HW-1332,oak ladder 6 steps,D-01,2,3,89.90,Delacroix"
    return rows


def council() -> list[str]:
    """The minutes of a long evening of a town council."""
    dice, words = Dice(37), WORDS["council"]
    parts = [words["head"]]
    for number in range(1, 45):
        place, motion, price = dice.pick(words["subjects"])
        mover = dice.pick(words["movers"])
        votes = 7 + dice.below(6)
        money = "There is no cost to the town."
        if price:
            money = f"The cost is GBP {price + dice.below(30) * 5}."
        carried = dice.below(5) > 0
        title = f"## Item {number}: {place.format(dice.pick(words['streets']))}"
        remarks = f"{dice.pick(words['remarks'])} {dice.pick(words['remarks'])}"
        end = "deferred to the June meeting"
        if carried:
            end = f"carried with {votes} votes for and {13 - votes} against"
        text = (
            f"{title}\n{mover} moved: {motion.lower()}. {money} {remarks} The motion was {end}.\n"
        )
        parts.append({17: words["pool"], 31: words["twinning"]}.get(number, text))
    parts.append("The meeting closed at 22:35. The next meeting is on 15 June 2026.")
    return parts


def weather() -> list[str]:
    """The diary of a mountain hut, in German."""
    dice, words = Dice(53), WORDS["weather"]
    special = {(month, day): text for month, day, text in words["special"]}
    lines = ["Hüttenbuch der Rotwandhütte (1.987 m), Sommer 2025", ""]
    for month, days in words["months"]:
        for day in range(1, days + 1):
            low = 2 + dice.below(9)
            sky, wind = dice.pick(words["skies"]), dice.pick(words["winds"])
            degrees = f"morgens {low} Grad, mittags {low + 4 + dice.below(9)} Grad"
            guests = f"{2 + dice.below(40)} Gäste über Nacht"
            deed = dice.pick(words["deeds"])
            line = f"{day}. {month}: {sky}, {wind}, {degrees}. {guests}. {deed}"
            if (month, day) in special:
                line = f"{day}. {month}: {dice.pick(words['skies'])}. {special[month, day]}"
            lines.append(line)
    return lines


def logbook() -> list[str]:
    """The log of a research ship, in French."""
    dice, words = Dice(71), WORDS["logbook"]
    special = dict(words["special"])
    lines = [
        "Journal de bord de l'Étoile Polaire, campagne 2025 (commandante : Solène Quéméner)",
        "",
    ]
    for day in range(1, 89):
        month, number = ("juin", day - 61)
        if day <= 61:
            month, number = ("avril", day) if day <= 30 else ("mai", day - 30)
        text = special.get(day)
        if text is None:
            text = f"{dice.pick(words['works'])} {dice.pick(words['works'])}"
        wind, sea = 2 + dice.below(6), dice.pick(words["seas"])
        degrees = f"air à {11 + dice.below(11)} °C, eau à {10 + dice.below(8)} °C"
        way = f"{60 + dice.below(130)} milles parcourus"
        start = f"Jour {day} ({number} {month}). Vent force {wind}, {sea}"
        lines.append(f"{start}, {degrees}, {way}. {text}")
    return lines


def tickets() -> list[str]:
    """A year of requests to a small support office, in Spanish."""
    dice, words = Dice(97), WORDS["tickets"]
    lines = ["Registro de solicitudes, oficina de soporte, 2025", ""]
    for number in range(1, 181):
        trouble, answer = dice.pick(words["troubles"])
        date = f"{1 + (number * 2) % 28:02d}/{1 + (number - 1) // 15:02d}/2025"
        who = f"{dice.pick(words['offices'])} | {dice.pick(words['people'])}"
        what = f"{trouble} | {answer} | {5 + dice.below(90)} minutos"
        lines.append(f"S-{number:03d} | {date} | {who} | {what}")
    lines[60] = words["theft"]
    lines[141] = words["fraud"]
    return lines


def main() -> None:
    """Write all files."""
    made = {
        "p_server_long.log": server_log(),
        "p_inventory_long.csv": inventory(),
        "p_council_long_en.md": council(),
        "p_huettenbuch_long_de.txt": weather(),
        "p_journal_long_fr.txt": logbook(),
        "p_solicitudes_long_es.txt": tickets(),
    }
    for name, lines in made.items():
        (HERE / "materials" / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
