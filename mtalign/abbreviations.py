"""The table of abbreviations after which a full stop may not end the sentence. A language is a row.

Only what news text uses. A language without a row gets `LATIN`, the words that any language borrows.
Entries leave out the last full stop (`U.S`, `т.д`). One in lower case also matches with a first capital.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Abbreviations:
    """The abbreviations of one language, by what their full stop says about the sentence.

    `head`: something always follows, so it never ends one (Mr, ул). `number`: belongs to the number that
    follows, if one follows (No, ст). `unit`: after a number it may end a sentence, elsewhere it is a head
    (1990 г., but г. Москва). `tail`: may end a sentence, and does so before a capital (etc, т.д).
    `either`: may stand before a name or end a sentence, so that a capital says little; it ends one only
    before a word in `starters` (U.S. President, but U.S. The).
    """

    head: frozenset[str] = frozenset()
    number: frozenset[str] = frozenset()
    unit: frozenset[str] = frozenset()
    tail: frozenset[str] = frozenset()
    either: frozenset[str] = frozenset()
    starters: frozenset[str] = frozenset()

    @cached_property
    def known(self) -> frozenset[str]:
        """All abbreviations of the row."""
        return self.head | self.number | self.unit | self.tail | self.either


def words(text: str) -> frozenset[str]:
    """Return the words of `text` as a set."""
    return frozenset(text.split())


LATIN = Abbreviations(
    head=words("Mr Mrs Ms Dr Prof St vs cf e.g i.e"),
    number=words("No Nos p pp Fig Vol"),
    tail=words("Inc Corp Co Ltd Jr Sr U.S U.K etc"),
)

_ENGLISH = Abbreviations(
    head=words(
        "Mr Mrs Ms Messrs Mx Dr Prof Rev Fr St Ste Mt Ft Gen Lt Col Cmdr Cdr Capt Maj Sgt Cpl Pvt Adm Brig "
        "Lt.Gen Maj.Gen Brig.Gen Lt.Col Gov Sen Sens Rep Reps Pres Hon Supt Det Insp Amb Atty "
        "vs v cf e.g eg i.e ie viz approx"
    ),
    number=words(
        "No Nos nos p pp Art Sec Ch Fig Figs Vol Vols para Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec"
    ),
    tail=words("etc"),
    either=words(
        "U.S U.S.A U.K U.N E.U D.C L.A N.Y Inc Corp Co Ltd Bros Jr Sr Ph.D M.D B.A M.A Esq a.m p.m a.k.a "
        "Jan Feb Aug Sept Oct Nov Dec Ave Blvd Rd Dept dept"
    ),
    starters=words(
        "The A An This That These Those It It's He He's She She's They They're We We're You I I'm There "
        "There's That's Here But And Or So Yet Nor In On At For From With As By To Of If When While After "
        "Before Since Although Though However Because Until Once During Despite Under Over Its His Her Their "
        "Our My Your Not No Yes Now Then Some Many Most All Both Each Every Another Other Others Several "
        "What Who Why How Where Which Whether One Two Three Last Next Also Even Only Just Still Meanwhile "
        "Instead Nevertheless Moreover According Police Officials"
    ),
)

_RUSSIAN = Abbreviations(
    head=words(
        "ул пр просп пл пер наб бул ш обл респ окр пос дер корп кв стр оф д тел св "
        "Дж проф акад доц инж ген полк подполк кап лейт адм зам зав нач гл отв пом "
        "гр тов напр т.е т.н т.к см ср в.т.ч т.наз ред сост пер прим"
    ),
    number=words("ст п пп гл рис табл с стр т кн вып ч"),
    unit=words("г гг в вв р м л с ст ч"),
    tail=words(
        "т.д т.п др пр тыс млн млрд трлн руб коп долл евр кв.м куб.м км см мм кг га чел экз час мин сек "
        "н.э до.н.э"
    ),
    either=words("им"),
    starters=words(
        "В Во На По С Со У К Ко О Об От Из За До При Для Под Над Без Через Среди После Перед Между Кроме "
        "Он Она Они Оно Мы Вы Я Ты Это Этот Эта Эти Тот Та Те Его Её Ее Их Наш Но И А Или Да Нет Не Ни Как "
        "Что Кто Где Если Когда Хотя Чтобы Потому Поэтому Также Однако Тем Так Там Тогда Теперь Здесь Сейчас "
        "Ещё Еще Уже Все Всё Затем Согласно"
    ),
)

_UKRAINIAN = Abbreviations(
    head=words(
        "ім вул просп пл пров бул наб обл смт с сел оф буд кв тел св о ред "
        "Дж проф акад доц інж ген полк підполк кап лейт адм зам зав нач "
        "гр тов пп напр т.зв т.ч див пор прим"
    ),
    number=words("ст п пп гл рис табл с стор т кн вип ч"),
    unit=words("р рр ст м с т г грн"),
    tail=words("т.д т.п ін тощо тис млн млрд трлн грн коп дол кв.м куб.м км см мм кг га год хв сек н.е"),
    starters=words(
        "В Во У Уві На По З Зі Із До Від О Об За При Для Під Над Без Через Серед Після Перед Між Крім Про "
        "Він Вона Вони Воно Ми Ви Я Ти Це Цей Ця Ці Той Та Ті Його Її Їх Наш Але І Й А Або Так Ні Не Як Що "
        "Хто Де Якщо Коли Хоча Щоб Тому Також Однак Проте Там Тоді Тепер Тут Зараз Ще Уже Вже Усі Всі Все "
        "Потім Згідно"
    ),
)

_KOREAN = LATIN

_GERMAN = Abbreviations(
    head=words("Dr Prof Hr Fr St z.B d.h u.a bzw ca vgl sog Gen Abg inkl Nr Str"),
    number=words("Nr S Art Abs Bd Kap"),
    tail=words("usw etc Mio Mrd Tsd Jh"),
)

_FRENCH = Abbreviations(
    head=words("M MM Mme Mlle Dr Pr St Ste Me cf p.ex av env gén col cap"),
    number=words("p pp art vol fig chap"),
    tail=words("etc av.J.-C"),
)

_SPANISH = Abbreviations(
    head=words("Sr Sra Srta Dr Dra D Dña Ud Uds St Sta Gral Cnel Lic Ing p.ej pág"),
    number=words("p pp pág núm art vol cap"),
    tail=words("etc EE.UU S.A Cía"),
)

_ITALIAN = Abbreviations(
    head=words("sig sigg dott prof avv ing on sen gen col cap S es ecc.mo cfr p.es"),
    number=words("p pp pag art vol n cap fig"),
    tail=words("ecc S.p.A S.r.l"),
)

_PORTUGUESE = Abbreviations(
    head=words("Sr Sra Dr Dra Prof Profa D Eng Gen Cel p.ex Exmo Exma"),
    number=words("p pp art vol n núm cap fig"),
    tail=words("etc Ltda S.A EUA"),
)

_POLISH = Abbreviations(
    head=words("prof dr gen płk ppłk mjr kpt por ul al pl im św ks np m.in tzw tj ok red"),
    number=words("nr s art ust pkt t rys"),
    unit=words("r w"),
    tail=words("tys mln mld zł gr itd itp in"),
)

_CZECH = Abbreviations(
    head=words("p pí prof dr gen plk pplk mjr kpt ul nám sv tzv tj např mj cca resp Ing Mgr JUDr MUDr"),
    number=words("č čl str s obr sv"),
    tail=words("tis mil mld Kč atd apod"),
)

_TURKISH = Abbreviations(
    head=words("Dr Prof Doç Av Sn Gen Alb Yrd Hz örn bkz Cad Sok Mah"),
    number=words("No s"),
    tail=words("vb vs A.Ş Ltd Şti"),
)

_BELARUSIAN = Abbreviations(
    head=words("ім вул пр пл зав праф акад ген т.зв напр гл св"),
    number=words("арт п с мал т"),
    unit=words("г гг ст м"),
    tail=words("т.д т.п інш тыс млн млрд руб кап"),
)

_BULGARIAN = Abbreviations(
    head=words("ул бул пл св Дж проф акад доц инж ген полк д-р г-н г-жа напр т.е т.нар вж"),
    number=words("чл ал т с стр"),
    unit=words("г гр в"),
    tail=words("т.н др хил млн млрд лв ст"),
)

ABBREVIATIONS: dict[str, Abbreviations] = {
    "en": _ENGLISH,
    "ko": _KOREAN,
    "uk": _UKRAINIAN,
    "ru": _RUSSIAN,
    "be": _BELARUSIAN,
    "bg": _BULGARIAN,
    "cs": _CZECH,
    "de": _GERMAN,
    "es": _SPANISH,
    "fr": _FRENCH,
    "it": _ITALIAN,
    "pl": _POLISH,
    "pt": _PORTUGUESE,
    "tr": _TURKISH,
}
