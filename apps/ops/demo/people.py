"""Believable people for the demo world: names that fit their language,
addresses that can't be anybody's.
"""

import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# language: (share, zones, women, men, surnames);
# whole names as "native/latin" where no surnames are given
_PEOPLE: dict[str, tuple[int, str, str, str, str]] = {
    "en": (
        30,
        (
            "Europe/London America/New_York America/Chicago America/Los_Angeles Australia/Sydney"
            " Asia/Singapore"
        ),
        "Olivia Emma Grace Hannah Zoe Maya Ruth Chloe Alice Nora Isla Priya",
        "Liam Noah Jack Oscar Henry Samuel Leo Owen Theo Adam Daniel Marcus",
        (
            "Smith Walker Hughes Bennett Carter Ellis Foster Grant Hayes Morgan Okafor Patel Reed"
            " Shaw Turner Ward"
        ),
    ),
    "ru": (
        24,
        "Europe/Moscow Asia/Yekaterinburg Asia/Novosibirsk Europe/Samara Asia/Almaty",
        "Анна Мария Елена Ольга Наталья Екатерина Дарья Полина Татьяна Ксения Вера Юлия",
        "Александр Дмитрий Сергей Михаил Иван Андрей Павел Никита Егор Кирилл Тимур Роман",
        (
            "Иванов Смирнов Кузнецов Попов Соколов Лебедев Козлов Новиков Морозов Волков Зайцев"
            " Орлов Фёдоров Белов"
        ),
    ),
    "de": (
        14,
        "Europe/Berlin Europe/Vienna Europe/Zurich",
        "Lena Clara Johanna Katharina Greta Sabine Antje Frieda",
        "Lukas Jonas Matthias Jürgen Stefan Björn Felix Tobias",
        "Müller Schmidt Weber Becker Schäfer Köhler Krüger Vogel Brandt Lang",
    ),
    "es": (
        10,
        "Europe/Madrid America/Mexico_City America/Bogota America/Argentina/Buenos_Aires",
        "Lucía Carmen Sofía Elena Marta Inés Paula",
        "Alejandro Javier Diego Andrés Pablo Mateo Íñigo",
        "García Fernández López Martínez Núñez Romero Ortega Delgado",
    ),
    "fr": (
        8,
        "Europe/Paris Europe/Brussels America/Montreal",
        "Camille Léa Chloé Inès Manon Hélène",
        "Hugo Louis Étienne Antoine Théo François",
        "Martin Bernard Dubois Laurent Lefèvre Girard Fontaine",
    ),
    "pt-BR": (
        6,
        "America/Sao_Paulo America/Manaus",
        "Ana Beatriz Camila Fernanda Júlia",
        "João Pedro Rafael Thiago Caio",
        "Silva Souza Oliveira Araújo Conceição Rocha",
    ),
    "pl": (
        4,
        "Europe/Warsaw",
        "Zofia Agnieszka Małgorzata Ewa",
        "Jakub Paweł Łukasz Tomasz",
        "Nowak Wójcik Mazur Kaczmarek Zając",
    ),
    "zh": (
        2,
        "Asia/Shanghai Asia/Taipei",
        "李娜/na.li 王芳/fang.wang 陈静/jing.chen",
        "张伟/wei.zhang 刘洋/yang.liu 赵磊/lei.zhao",
        "",
    ),
    "ja": (
        2,
        "Asia/Tokyo",
        "佐藤_美咲/misaki.sato 鈴木_葵/aoi.suzuki",
        "高橋_蓮/ren.takahashi 田中_大輔/daisuke.tanaka",
        "",
    ),
}
_DOMAINS = ("example.com", "example.org", "example.net")
_LETTERS = str.maketrans("абвгдезийклмнопрстуфыэłø", "abvgdeziyklmnoprstufyelo") | str.maketrans(
    {
        "ё": "yo",
        "ж": "zh",
        "х": "kh",
        "ц": "ts",
        "ч": "ch",
        "ш": "sh",
        "щ": "shch",
        "ъ": "",
        "ь": "",
        "ю": "yu",
        "я": "ya",
        "ß": "ss",
    }
)


@dataclass(frozen=True, slots=True)
class DemoPerson:
    name: str
    email: str
    language: str
    time_zone: str
    tags: list[str]
    metadata: dict[str, Any]
    days_ago: float  # since when they follow


def people(count: int, *, seed: int = 7) -> Iterator[DemoPerson]:
    """People of the story: the same ones for the same seed, no address twice."""
    chance = random.Random(seed)  # noqa: S311  # a story, not a secret
    taken: set[str] = set()
    languages = list(_PEOPLE)
    shares = [_PEOPLE[language][0] for language in languages]
    for number in range(count):
        language = chance.choices(languages, shares)[0]
        _, zones, *_names = _PEOPLE[language]
        name, mailbox = _name(language, chance)
        email = f"{mailbox}@{chance.choice(_DOMAINS)}"
        if email in taken:
            email = f"{mailbox}{number}@{chance.choice(_DOMAINS)}"
        taken.add(email)
        plan = chance.choices(("free", "pro", "team"), (60, 28, 12))[0]
        shares_of_tags = {"Newsletter": 0.7, "Events": 0.25, "Beta testers": 0.12}
        tags = [tag for tag, share in shares_of_tags.items() if chance.random() < share]
        if plan != "free":
            tags.append("Customers")
        zone = chance.choice(zones.split())
        orders = 0
        if plan != "free":
            orders = chance.randint(1, 24)
        yield DemoPerson(
            name=name,
            email=email,
            language=language,
            time_zone=zone,
            tags=tags,
            metadata={"plan": plan, "orders": orders},
            days_ago=chance.uniform(0.1, 500),
        )


def _name(language: str, chance: random.Random) -> tuple[str, str]:
    _, _, women, men, surnames = _PEOPLE[language]
    woman = chance.random() < 0.5
    names = men
    if woman:
        names = women
    first = chance.choice(names.split())
    if not surnames:
        name, _, mailbox = first.partition("/")
        return name.replace("_", " "), mailbox
    last = chance.choice(surnames.split())
    if language == "ru" and woman:
        last += "а"
    return f"{first} {last}", f"{_ascii(first)}.{_ascii(last)}"


def _ascii(word: str) -> str:
    # letters with marks lose them: ü is u
    return (
        unicodedata.normalize("NFKD", word.lower().translate(_LETTERS))
        .encode("ascii", "ignore")
        .decode()
    )
