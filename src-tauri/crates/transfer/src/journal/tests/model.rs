//! Any changes, closed and opened at any time: what a map would hold.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Write(Vec<Op>),
    /// A transaction that is refused, after all of these.
    Refused(Vec<Op>),
    Reopen,
    Ask(u8),
    Take,
}

fn rows() -> impl Strategy<Value = Row> {
    (
        (1..60_u32, 0..8_u8, any::<u32>(), any::<i8>(), any::<i64>()),
        (
            any::<u32>(),
            any::<Option<u64>>(),
            any::<Option<i64>>(),
            any::<u64>(),
        ),
        (
            any::<Option<i64>>(),
            prop::collection::vec(any::<u8>(), 0..300),
            prop::option::of(prop::collection::vec(any::<u8>(), 0..20)),
            prop::option::of(any::<f32>().prop_map(|number| format!("[{number:?}]"))),
        ),
    )
        .prop_map(
            |(
                (id, state, flags, priority, order),
                (depth, size, modified, bytes),
                (start_at, name, local, detail),
            )| Row {
                id,
                parent: id / 2,
                site: 1,
                options: 1,
                state,
                flags,
                priority,
                order,
                depth,
                size,
                modified,
                bytes,
                attempts: depth,
                start_at,
                name,
                local,
                detail: detail.filter(|text| !text.contains(['N', 'i'])),
            },
        )
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        10 => rows().prop_map(Op::Put),
        1 => prop::collection::vec(1..60_u32, 0..5).prop_map(Op::Remove),
        1 => (2..9_u32, ".{0,20}").prop_map(|(id, key)| Op::Site { id, key }),
        1 => (1..9_u32, any::<u32>()).prop_map(|(id, json)| Op::Options {
            id,
            json: json.to_string(),
        }),
        1 => ("[a-c]", any::<u32>()).prop_map(|(key, value)| Op::Setting {
            key,
            value: value.to_string(),
        }),
        2 => any::<u32>().prop_map(|id| Op::Receipt(Box::new(receipt(id)))),
    ];
    prop::collection::vec(op, 0..30)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => ops().prop_map(Step::Write),
        1 => ops().prop_map(Step::Refused),
        2 => Just(Step::Reopen),
        1 => any::<u8>().prop_map(Step::Ask),
        1 => Just(Step::Take),
    ];
    prop::collection::vec(step, 1..25)
}

#[derive(Default)]
struct Model {
    loaded: Loaded,
    rows: BTreeMap<u32, Row>,
    receipts: Vec<Receipt>,
    inbox: Vec<u8>,
}

impl Model {
    fn write(&mut self, op: &Op) {
        match op.clone() {
            Op::Site { id, key } => drop(self.loaded.sites.insert(id, key)),
            Op::Options { id, json } => drop(self.loaded.options.insert(id, json)),
            Op::Setting { key, value } => drop(self.loaded.settings.insert(key, value)),
            Op::Put(row) => drop(self.rows.insert(row.id, row)),
            Op::Remove(ids) => self.rows.retain(|id, _| !ids.contains(id)),
            Op::Receipt(receipt) => self.receipts.push(*receipt),
            Op::Handled { .. } => {}
        }
    }

    /// Those whose ancestors are all there.
    fn expected(&self) -> Loaded {
        let whole = |id: &u32| {
            std::iter::successors(Some(*id), |id| Some(id / 2))
                .take_while(|id| *id != 0)
                .all(|id| self.rows.contains_key(&id))
        };
        let rows: Vec<Row> = self
            .rows
            .values()
            .filter(|row| whole(&row.id))
            .cloned()
            .collect();
        Loaded {
            skipped: (self.rows.len() - rows.len()) as u64,
            highest_id: self.rows.keys().last().copied().unwrap_or(0),
            rows,
            ..self.loaded.clone()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_holds_what_a_map_would_hold(steps in steps()) {
        let (_folder, path) = place();
        let mut journal = open(&path);
        let mut model = Model::default();
        journal.write(&[site()]).unwrap();
        model.write(&site());
        for step in steps {
            match step {
                Step::Write(ops) => {
                    journal.write(&ops).unwrap();
                    ops.iter().for_each(|op| model.write(op));
                }
                Step::Refused(mut ops) => {
                    ops.push(Op::Put(Row { state: 255, ..item(1, 0) }));
                    prop_assert!(journal.write(&ops).is_err());
                }
                Step::Reopen => {
                    drop(journal);
                    journal = open(&path);
                }
                Step::Ask(number) => {
                    let body = number.into();
                    Journal::request(&path, &Request { kind: "test".to_owned(), body }).unwrap();
                    model.inbox.push(number);
                }
                Step::Take => {
                    // Those that this program was given before are not given to it again.
                    let taken = journal.take_requests().unwrap();
                    let skipped = model.inbox.len() - taken.len();
                    let done: Vec<Op> =
                        taken.iter().map(|t| Op::Handled { request: t.number }).collect();
                    let bodies: Vec<u64> =
                        taken.iter().map(|t| t.request.body.as_u64().unwrap()).collect();
                    let expected: Vec<u64> =
                        model.inbox[skipped..].iter().map(|n| u64::from(*n)).collect();
                    prop_assert_eq!(bodies, expected);
                    prop_assert_eq!(skipped, 0);
                    journal.write(&done).unwrap();
                    model.inbox.clear();
                }
            }
            prop_assert_eq!(journal.load().unwrap(), model.expected());
            let newest: Vec<Receipt> = model.receipts.iter().rev().take(7).cloned().collect();
            prop_assert_eq!(journal.receipts(7, 0).unwrap(), newest);
        }
    }
}
