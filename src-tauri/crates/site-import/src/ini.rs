//! `[sections]` of `key = value`.

/// A section: its name, and its pairs in their order.
pub(crate) struct Section<'a> {
    pub(crate) name: &'a str,
    pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> Section<'a> {
    /// The value of a key; the last of several counts.
    pub(crate) fn get(&self, key: &str) -> Option<&'a str> {
        let mut found = self.pairs.iter().rev();
        found
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| *value)
            .filter(|value| !value.is_empty())
    }

    /// Whether a key has this value.
    pub(crate) fn is(&self, key: &str, value: &str) -> bool {
        self.get(key)
            .is_some_and(|found| found.eq_ignore_ascii_case(value))
    }
}

/// All sections; pairs before the first one are nobody's.
pub(crate) fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            sections.push(Section {
                name,
                pairs: Vec::new(),
            });
        } else if let (Some(section), Some((key, value))) =
            (sections.last_mut(), line.split_once('='))
        {
            section.pairs.push((key.trim(), value.trim()));
        }
    }
    sections
}
