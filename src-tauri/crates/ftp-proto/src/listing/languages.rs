//! What the months are called: the LC_TIME tables of the GNU C library, and the longer and shorter forms of other systems.

/// Twelve names each, `|` between several. The earlier language wins where two have the same word.
#[rustfmt::skip]
pub(super) const LANGUAGES: [(&str, [&str; 12]); 27] = [
    ("English", [
        "january", "february", "march", "april", "may", "june", "july", "august", "september|sept", "october", "november", "december",
    ]),
    ("German", [
        "jan|januar|jän|jänner", "feb|februar|feber", "mär|märz|mrz|maerz", "apr|april", "mai", "jun|juni", "jul|juli", "aug|august",
        "sep|sept|september", "okt|oktober", "nov|november", "dez|dezember",
    ]),
    ("French", [
        "janv|jan|janvier", "févr|fév|fev|fevr|février", "mars|mar", "avr|avril", "mai", "juin|jui|jun", "juil|juillet|jul",
        "août|aoû|aout|aou", "sept|sep|septembre", "oct|octobre", "nov|novembre", "déc|dec|décembre",
    ]),
    ("Italian", [
        "gen|gennaio", "feb|febbraio", "mar|marzo", "apr|aprile", "mag|maggio", "giu|giugno", "lug|luglio", "ago|agosto",
        "set|sett|settembre", "ott|ottobre", "nov|novembre", "dic|dicembre",
    ]),
    ("Spanish", [
        "ene|enero", "feb|febrero", "mar|marzo", "abr|abril", "may|mayo", "jun|junio", "jul|julio", "ago|agosto",
        "sep|sept|set|septiembre|setiembre", "oct|octubre", "nov|noviembre", "dic|diciembre",
    ]),
    ("Portuguese", [
        "jan|janeiro", "fev|fevereiro", "mar|março|marco", "abr|abril", "mai|maio", "jun|junho", "jul|julho", "ago|agosto", "set|setembro",
        "out|outubro", "nov|novembro", "dez|dezembro",
    ]),
    ("Dutch", [
        "jan|januari", "feb|februari|febr", "mrt|maa|maart|mar", "apr|april", "mei", "jun|juni", "jul|juli", "aug|augustus",
        "sep|sept|september", "okt|oktober", "nov|november", "dec|december",
    ]),
    ("Swedish", [
        "jan|januari", "feb|februari", "mar|mars", "apr|april", "maj", "jun|juni", "jul|juli", "aug|augusti", "sep|sept|september",
        "okt|oktober", "nov|november", "dec|december",
    ]),
    ("Danish, Norwegian and Icelandic", [
        "jan|januar|janúar", "feb|februar|febrúar", "mar|marts|mars", "apr|april|apríl", "maj|mai|maí", "jun|juni|jún|júní",
        "jul|juli|júl|júlí", "aug|august|ágú|ágúst", "sep|sept|september", "okt|oktober|október", "nov|november|nóv",
        "dec|des|december|desember",
    ]),
    ("Finnish", [
        "tammi|tam|tammikuu", "helmi|hel|helmikuu", "maalis|maa|maaliskuu", "huhti|huh|huhtikuu", "touko|tou|toukokuu", "kesä|kes|kesäkuu",
        "heinä|hei|heinäkuu", "elo|elokuu", "syys|syy|syyskuu", "loka|lok|lokakuu", "marras|mar|marraskuu", "joulu|jou|joulukuu",
    ]),
    ("Polish", [
        "sty|stycznia|styczeń", "lut|lutego|luty", "mar|marca|marzec", "kwi|kwietnia|kwiecień", "maj|maja", "cze|czerwca|czerwiec",
        "lip|lipca|lipiec", "sie|sierpnia|sierpień", "wrz|września|wrzesień", "paź|paz|października|październik", "lis|listopada|listopad",
        "gru|grudnia|grudzień",
    ]),
    ("Czech", [
        "led|ledna|leden", "úno|uno|února|únor", "bře|bre|března|březen", "dub|dubna|duben", "kvě|kve|května|květen",
        "čen|cer|čer|cen|června|červen|čvn", "čec|cec|července|červenec|čvc", "srp|srpna|srpen", "zář|zar|září", "říj|rij|října|říjen",
        "lis|listopadu|listopad", "pro|prosince|prosinec",
    ]),
    ("Slovak", [
        "jan|januára|január", "feb|februára|február", "mar|marca|marec", "apr|apríla|apríl", "máj|mája", "jún|júna", "júl|júla",
        "aug|augusta", "sep|septembra", "okt|októbra|október", "nov|novembra", "dec|decembra",
    ]),
    ("Hungarian", [
        "jan|január", "febr|feb|február", "márc|már|március", "ápr|április", "máj|május", "jún|június", "júl|július", "aug|augusztus",
        "szept|sze|szep|szeptember", "okt|október", "nov|november", "dec|december",
    ]),
    ("Romanian", [
        "ian|ianuarie", "feb|februarie", "mar|martie", "apr|aprilie", "mai", "iun|iunie", "iul|iulie", "aug|august", "sep|sept|septembrie",
        "oct|octombrie", "nov|noi|noiembrie", "dec|decembrie",
    ]),
    ("Catalan", [
        "gen|gener", "febr|feb|febrer", "març|mar", "abr|abril", "maig|mai", "juny|jun", "jul|juliol", "ag|ago|agost", "set|setembre",
        "oct|octubre", "nov|novembre", "des|desembre",
    ]),
    ("Turkish", [
        "oca|ocak", "şub|sub|şubat", "mar|mart", "nis|nisan", "may|mayıs", "haz|haziran", "tem|temmuz", "ağu|agu|ağustos", "eyl|eylül",
        "eki|ekim", "kas|kasım", "ara|aralık",
    ]),
    ("Estonian", [
        "jaan|jaanuar", "veebr|veebruar", "märts|mär", "apr|aprill", "mai", "juuni", "juuli", "aug|august", "sept|september",
        "okt|oktoober", "nov|november", "dets|detsember",
    ]),
    ("Indonesian", [
        "jan|januari", "peb|feb|februari", "mar|maret", "apr|april", "mei", "jun|juni", "jul|juli", "agu|agt|agustus", "sep|september",
        "okt|oktober", "nop|nov|november", "des|desember",
    ]),
    ("Greek", [
        "ιαν|ιανουαρίου", "φεβ|φεβρ|φεβρουαρίου", "μαρ|μάρ|μαρτίου|μαρτ", "απρ|απριλίου", "μαΐ|μάι|μαι|μάϊ|μαΐου", "ιουν|ιούν|ιουνίου",
        "ιουλ|ιούλ|ιουλίου", "αυγ|αύγ|αυγούστου", "σεπ|σεπτ|σεπτεμβρίου", "οκτ|οκτωβρίου", "νοε|νοέ|νοεμβρίου", "δεκ|δεκεμβρίου",
    ]),
    ("Russian", [
        "янв|января|январь", "фев|февр|февраля|февраль", "мар|марта|март", "апр|апреля|апрель", "май|мая", "июн|июня|июнь",
        "июл|июля|июль", "авг|августа|август", "сен|сент|сентября|сентябрь", "окт|октября|октябрь", "ноя|нояб|ноября|ноябрь",
        "дек|декабря|декабрь",
    ]),
    ("Ukrainian", [
        "січ|січня", "лют|лютого", "бер|березня", "кві|квіт|квітня", "тра|трав|травня", "чер|черв|червня", "лип|липня", "сер|серп|серпня",
        "вер|вересня", "жов|жовт|жовтня", "лис|лист|листопада", "гру|груд|грудня",
    ]),
    ("Bulgarian", [
        "яну|януари", "фев|февруари", "мар|март", "апр|април", "май", "юни|юн", "юли|юл", "авг|август", "сеп|септ|септември",
        "окт|октомври", "ное|ноември", "дек|декември",
    ]),
    ("Lithuanian and Latvian", [
        "sau|saus|janv", "vas|vasar|febr", "kov|marts", "bal|apr", "geg|maijs|mai", "bir|birž|jūn", "lie|liep|jūl", "rgp|rugp|aug",
        "rgs|rugs|sept", "spa|spal|okt", "lap|lapkr|nov", "grd|gruod|dec",
    ]),
    ("Slovene and Croatian, without what is another month in Czech or Polish", [
        "jan|sij", "feb|velj", "mar|ožu", "apr|tra", "maj|svi", "jun", "jul", "avg|kol", "sep|ruj", "okt", "nov|stu", "dec",
    ]),
    ("Chinese in words", [
        "一月", "二月", "三月", "四月", "五月", "六月", "七月", "八月", "九月", "十月", "十一月", "十二月",
    ]),
    ("Serbian and Belarusian", [
        "јан|сту", "феб", "мар|сак", "апр|кра", "мај|май|мая", "јун|чэр", "јул|ліп", "авг|жні", "сеп|вер", "окт|кас", "нов|ліс", "дец|сне",
    ]),
];
