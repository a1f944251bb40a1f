"""Eight-bit files are read in the encoding they were written in, however short."""

import pytest

from apps.followers.imports.encoding import ENCODINGS, by_its_mark, eight_bit, words_of

pytestmark = pytest.mark.reported


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1250", "Łukasz Żółć;Łódź"),
        ("cp1250", "Łódź"),
        ("cp1250", "Jiří Dvořák;Plzeň"),
        ("cp1250", "Žofie Nováková"),
        ("cp1250", "Kovács Győző;Székesfehérvár"),
        ("cp1250", "Győző"),
        ("cp1250", "Marković;Kovač"),
        ("cp1250", "Ştefan Ionescu;Iaşi"),
        ("iso8859-2", "Łukasz Żółć;Łódź"),
        ("iso8859-2", "Jiří Dvořák;Šárka"),
        ("cp1251", "Анна Иванова;Москва"),
        ("cp1251", "москва"),
        ("cp1251", "МОСКВА"),
        ("cp1251", "Пётр"),
        ("cp1251", "Ия"),
        ("cp1251", "Наталія;Київ"),
        ("koi8-r", "Анна Иванова;Москва"),
        ("koi8-r", "москва"),
        ("koi8-r", "МОСКВА"),
        ("koi8-u", "Наталія;Київ"),
        ("cp866", "Анна Иванова;Москва"),
        ("iso8859-5", "Анна Иванова;Москва"),
        ("mac-cyrillic", "Анна Иванова;Москва"),
        ("cp1252", "José Müller;Köln"),
        ("cp1252", "Zoë"),
        ("cp1252", "François Désiré;Orléans"),
        ("cp1252", "Jürgen Groß;Straße"),
        ("cp1252", "Bjørn Sørensen;Ærø;Kjær"),
        ("cp1252", "Åsa Öberg"),
        ("cp1252", "João Conceição"),
        ("cp1252", "Señor Ñandú"),
        ("cp1252", "Þórður Guðrún"),
        ("cp1252", "L’été — “oui” …"),
        ("cp1253", "Γιώργος Παπαδόπουλος;Αθήνα"),
        ("cp1252", "5 €;§ 7"),
        ("cp1253", "Ελένη"),
        ("cp1253", "Άννα"),
        ("iso8859-7", "Άννα;Γιώργος"),
        ("cp1253", "ΑΘΗΝΑ"),
        ("cp1254", "Ayşe Yılmaz;İstanbul"),
        ("cp1254", "Gökçe Çağlar;Eskişehir"),
        ("cp1254", "Şule"),
        ("cp1257", "Jānis Bērziņš;Rīga"),
        ("cp1257", "Šarūnas;Kėdainiai"),
        ("mac-roman", "José Müller;Köln"),
    ],
)
def test_a_few_names_tell_the_encoding(encoding: str, text: str) -> None:
    raw = f"email;name;city\np@example.com;{text}\n".encode(encoding)
    assert raw.decode(eight_bit(words_of([raw]))) == raw.decode(encoding)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["Анна", "Ā Ēriks", "一 王", "Łukasz Żółć"])
def test_utf_16_is_known_without_its_mark(encoding: str, text: str) -> None:
    raw = f"email;name\np@example.com;{text}\n".encode(encoding)
    assert by_its_mark(raw) == encoding


def test_every_encoding_that_is_offered_exists() -> None:
    for name in ENCODINGS:
        assert "a,b".encode(name).decode(name) == "a,b"
