//! The list of dialects, and what the earlier lines of a listing say about the later ones.

use jiff::Timestamp;

use super::{Line, date::Now, dos, eplf, ibm, mlsx, mvs, numeric::Order, odd, tandem, unix, vms};

/// What a listing has told so far.
#[derive(Clone, Debug)]
pub(super) struct Context {
    /// For dates without a year.
    pub(super) now: Now,
    /// How dates in numbers are written, once lines have told it.
    pub(super) order: Option<Order>,
    /// The heading that was seen last.
    pub(super) heading: Heading,
}

impl Context {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            now: Now::new(now),
            order: None,
            heading: Heading::None,
        }
    }
}

/// Headings that say what the lines below them are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heading {
    None,
    /// Members of a partitioned data set: some have nothing but a name.
    Members,
    /// The spool files of a job, with the job's id.
    Spool(Option<Vec<u8>>),
    /// Folders of Stratus VOS.
    VosDirs,
    /// Links of Stratus VOS.
    VosLinks,
    /// Another one that changes nothing.
    Other,
}

/// One way to write a listing. The order is that in which they are asked: first those that can't be taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Mlsx,
    Eplf,
    Unix,
    Dos,
    Vms,
    Mvs,
    Member,
    Jes,
    As400,
    NonStop,
    Vm,
    Os2,
    VxWorks,
    Numeric,
    Os9,
    Vos,
    Tops20,
    Mpe,
    Wf,
    DosNameFirst,
    SizeFirst,
    /// Names and nothing else. Never asked by itself: see [`super::reader`].
    Bare,
}

/// How many dialects there are.
pub(super) const DIALECTS: usize = 22;

impl Dialect {
    /// All but bare names.
    pub(super) const ALL: [Self; DIALECTS - 1] = [
        Self::Mlsx,
        Self::Eplf,
        Self::Unix,
        Self::Dos,
        Self::Vms,
        Self::Mvs,
        Self::Member,
        Self::Jes,
        Self::As400,
        Self::NonStop,
        Self::Vm,
        Self::Os2,
        Self::VxWorks,
        Self::Numeric,
        Self::Os9,
        Self::Vos,
        Self::Tops20,
        Self::Mpe,
        Self::Wf,
        Self::DosNameFirst,
        Self::SizeFirst,
    ];

    /// The place in a table of all dialects.
    pub(super) fn index(self) -> usize {
        self as usize
    }

    /// Reads a line, without its end.
    pub(super) fn parse(self, line: &[u8], context: &Context) -> Option<Line> {
        match self {
            Self::Mlsx => mlsx::in_a_list(line),
            Self::Eplf => eplf::parse(line),
            Self::Unix => unix::parse(line, context),
            Self::Dos => dos::parse(line, context),
            Self::Vms => vms::parse(line),
            Self::Mvs => mvs::data_set(line, context),
            Self::Member => mvs::member(line, context),
            Self::Jes => mvs::job(line, context),
            Self::As400 => ibm::as400(line, context),
            Self::NonStop => tandem::parse(line),
            Self::Vm => ibm::vm(line, context),
            Self::Os2 => dos::parse_os2(line, context),
            Self::VxWorks => odd::vxworks(line),
            Self::Numeric => odd::numeric(line),
            Self::Os9 => odd::os9(line, context),
            Self::Vos => odd::vos(line, context),
            Self::Tops20 => odd::tops20(line),
            Self::Mpe => odd::mpe(line),
            Self::Wf => odd::wf(line, context),
            Self::DosNameFirst => dos::name_first(line, context),
            Self::SizeFirst => odd::size_first(line, context),
            Self::Bare => odd::bare(line),
        }
    }

    /// True where dates are numbers of which the order may differ from server to server.
    pub(super) fn has_orders(self) -> bool {
        matches!(
            self,
            Self::Dos
                | Self::As400
                | Self::Vm
                | Self::Os2
                | Self::Os9
                | Self::Wf
                | Self::DosNameFirst
        )
    }
}
