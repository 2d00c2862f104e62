//! Plans are carried out on a model of the target, step by step, and what comes out is compared with the source.

use std::collections::BTreeMap;

use super::*;
use crate::Direction;
use proptest::prelude::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thing {
    Folder,
    /// With size and time.
    File(u64, i64),
    Link,
    Excluded,
}

type Model = BTreeMap<String, Thing>;

fn thing(specials: bool) -> impl Strategy<Value = Thing> {
    let special = if specials { 1 } else { 0 };
    prop_oneof![
        4 => Just(Thing::Folder),
        6 => (1u64..3, 0i64..2).prop_map(|(size, time)| Thing::File(size, time * 100)),
        special => Just(Thing::Link),
        special => Just(Thing::Excluded),
    ]
}

/// Things whose folders are there.
fn model(specials: bool) -> impl Strategy<Value = Model> {
    let path = "[ab-]{1,2}(/[ab-]{1,2}){0,3}";
    proptest::collection::btree_map(path, thing(specials), 0..25).prop_map(|drawn| {
        let mut model = Model::new();
        for (path, thing) in drawn {
            let mut fits = true;
            for (slash, _) in path.match_indices('/') {
                let above = model
                    .entry(path[..slash].to_owned())
                    .or_insert(Thing::Folder);
                fits &= *above == Thing::Folder;
                if !fits {
                    break;
                }
            }
            if fits {
                model.entry(path).or_insert(thing);
            }
        }
        model
    })
}

fn tree_of(on: On, model: &Model) -> Tree {
    let mut tree = Tree {
        exists: true,
        keeps_times: true,
        ..Tree::default()
    };
    for (path, thing) in model {
        let name = path.rsplit('/').next().unwrap();
        let mut node = node(
            on,
            name,
            match thing {
                Thing::Folder => NodeKind::Folder,
                Thing::File(..) | Thing::Excluded => NodeKind::File,
                Thing::Link => NodeKind::Link,
            },
        );
        if let Thing::File(size, second) = thing {
            node.size = Some(*size);
            node.modified = Some(at(*second));
        }
        node.excluded = *thing == Thing::Excluded;
        assert!(tree.insert(path.as_bytes().into(), node));
    }
    tree
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// As a disk or a server would do it, which refuses what can't be done.
fn carry_out(plan: &MirrorPlan, source: &Model, target: &mut Model) {
    let delete = |target: &mut Model, first| {
        for gone in plan.delete.iter().filter(|gone| gone.first == first) {
            let path = gone.path.to_string();
            let was = target.remove(&path).unwrap();
            assert_eq!(was == Thing::Folder, gone.folder, "{path}");
            assert!(!matches!(was, Thing::Link | Thing::Excluded), "{path}");
            assert!(
                !target.keys().any(|other| is_below(other, &path)),
                "{path} is not empty"
            );
        }
    };
    let folder_is_there = |target: &Model, path: &str| match path.rfind('/') {
        Some(slash) => target.get(&path[..slash]) == Some(&Thing::Folder),
        None => true,
    };
    delete(target, true);
    for step in &plan.make {
        let path = step.remote.to_string();
        assert!(folder_is_there(target, &path), "{path}");
        assert_eq!(target.insert(path, Thing::Folder), None);
    }
    for step in &plan.copy {
        let path = step.remote.to_string();
        assert!(folder_is_there(target, &path), "{path}");
        let old = target.insert(path.clone(), source[&path]);
        assert!(matches!(old, None | Some(Thing::File(..))), "{path}");
        assert!(matches!(source[&path], Thing::File(..)), "{path}");
    }
    delete(target, false);
}

fn options(delete: bool) -> MirrorOptions {
    MirrorOptions {
        delete,
        max_delete: Some(1000),
        ..MirrorOptions::default()
    }
}

fn compared(source: &Model, target: &Model, options: &MirrorOptions) -> MirrorPlan {
    let (source, target) = (tree_of(On::Disk, source), tree_of(On::Server, target));
    compare(&source, &target, Direction::Upload, options)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_target_becomes_like_the_source(source in model(false), target in model(false)) {
        let plan = compared(&source, &target, &options(true));
        let mut after = target;
        carry_out(&plan, &source, &mut after);
        prop_assert_eq!(&after, &source);
        let again = compared(&source, &after, &options(true));
        prop_assert!(again.is_empty(), "{}", again);
    }

    #[test]
    fn nothing_is_lost_without_leave(source in model(true), target in model(true)) {
        let plan = compared(&source, &target, &options(false));
        let mut after = target.clone();
        carry_out(&plan, &source, &mut after);
        for (path, was) in &target {
            match (was, &after[path]) {
                (Thing::File(..), now) => prop_assert!(*now == *was || source[path] == *now),
                (was, now) => prop_assert_eq!(was, now),
            }
        }
        if plan.conflicts.is_empty() && plan.left.is_empty() && plan.filtered == 0 {
            for (path, thing) in &source {
                prop_assert_eq!(&after[path], thing);
            }
        }
    }

    #[test]
    fn links_and_what_is_left_out_survive(source in model(true), target in model(true)) {
        let plan = compared(&source, &target, &options(true));
        let mut after = target.clone();
        carry_out(&plan, &source, &mut after);
        let special = |thing: &Thing| matches!(thing, Thing::Link | Thing::Excluded);
        for (path, was) in &target {
            let by_source = source.iter().any(|(other, thing)| {
                special(thing) && (other == path || is_below(path, other))
            });
            if special(was) || by_source {
                prop_assert_eq!(after.get(path), Some(was), "{}", path);
            }
        }
        // Everything else is as the source has it, or was said to stay.
        for (path, now) in &after {
            let said = |left: &Left| left.path == *path || is_below(path, &left.path) || is_below(&left.path, path);
            let explained = special(now)
                || source.get(path) == Some(now)
                || plan.left.iter().chain(&plan.conflicts).any(said)
                || target.iter().chain(&source).any(|(other, thing)| special(thing) && (other == path || is_below(other, path) || is_below(path, other)));
            prop_assert!(explained, "{} {:?}\n{}", path, now, plan);
        }
    }

    #[test]
    fn too_much_is_refused_as_a_whole(source in model(true), target in model(true), most in 0u64..6) {
        let whole = compared(&source, &target, &options(true));
        let plan = compared(&source, &target, &MirrorOptions { max_delete: Some(most), ..options(true) });
        let planned = whole.delete.len() as u64;
        prop_assert_eq!(plan.refused.is_some(), planned > most);
        prop_assert_eq!(plan.delete.len() as u64, if planned > most { 0 } else { planned });
        let mut after = target;
        carry_out(&plan, &source, &mut after);
    }
}
