import { describe, expect, it } from 'vitest';
import { entryOf, type Entry } from './entry';
import { History } from './history';
import { Selection } from '$lib/selection/selection.svelte';
import { TypeAhead } from './typeahead';

function view(...names: string[]): Entry[] {
  return names.map((name, id) =>
    entryOf({
      id,
      name,
      kind: 'file',
      size: 1,
      modified: null,
      precision: null,
      permissions: null,
      target: null,
      hidden: false,
    }),
  );
}

const five = view('a', 'b', 'c', 'd', 'e');

describe('Selection', () => {
  it('extends from the anchor, in both directions', () => {
    const selection = new Selection();
    selection.only(2);
    selection.extendTo(4, five);
    expect(selection.ids()).toEqual([2, 3, 4]);
    selection.extendTo(1, five);
    expect(selection.ids()).toEqual([1, 2]);
    expect(selection.cursor).toBe(1);
  });

  it('adds to what is selected with ctrl and shift', () => {
    const selection = new Selection();
    selection.only(0);
    selection.toggle(3);
    selection.extendTo(4, five, true);
    expect(selection.ids().sort()).toEqual([0, 3, 4]);
  });

  it('toggles without touching the others', () => {
    const selection = new Selection();
    selection.only(1);
    selection.toggle(2);
    selection.toggle(1);
    expect(selection.ids()).toEqual([2]);
    expect(selection.cursor).toBe(1);
  });

  it('marks rows one by one, and keeps what the cursor had selected', () => {
    const selection = new Selection();
    selection.only(0);
    selection.mark(0);
    selection.point(2);
    selection.mark(2);
    expect(selection.ids()).toEqual([0, 2]);
    selection.mark(0);
    expect(selection.ids()).toEqual([2]);
    selection.only(4);
    expect(selection.marking).toBe(false);
  });

  it('ignores a row that is filtered away', () => {
    const selection = new Selection();
    selection.only(1);
    selection.extendTo(99, five);
    expect(selection.ids()).toEqual([1]);
  });

  it('selects from the row itself when the anchor is gone', () => {
    const selection = new Selection();
    selection.only(4);
    selection.extendTo(1, five.slice(0, 3));
    expect(selection.ids()).toEqual([1]);
  });

  it('selects a hundred thousand rows in one go', () => {
    const many = Array.from({ length: 100_000 }, (_, id) => ({
      ...five[0]!,
      row: { ...five[0]!.row, id },
    }));
    const selection = new Selection();
    selection.all(many);
    expect(selection.size).toBe(100_000);
    selection.clear();
    expect(selection.size).toBe(0);
  });
});

describe('TypeAhead', () => {
  const names = view('apple', 'banana', 'blueberry', 'Éclair');

  it('goes through names by the same letter, and narrows by more', () => {
    const typed = new TypeAhead();
    expect(typed.type('b', names, 0, 0)).toBe(1);
    expect(typed.type('b', names, 1, 100)).toBe(2);
    const other = new TypeAhead();
    expect(other.type('b', names, 0, 0)).toBe(1);
    expect(other.type('l', names, 1, 100)).toBe(2);
  });

  it('finds accented names by plain letters and forgets after a pause', () => {
    const typed = new TypeAhead();
    expect(typed.type('e', names, 0, 0)).toBe(3);
    expect(typed.active(500)).toBe(true);
    expect(typed.active(5000)).toBe(false);
    expect(typed.type('a', names, 3, 5000)).toBe(0);
    expect(typed.type('x', names, 0, 9000)).toBe(-1);
  });
});

describe('History', () => {
  const place = (id: number) => ({ id, label: `/${id}` });

  it('goes back and forward, and forgets the future on a new visit', () => {
    let history = History.empty.visit(place(1)).visit(place(2)).visit(place(3));
    expect(history.past.map(({ id }) => id)).toEqual([1, 2]);
    history = history.back();
    expect(history.here?.id).toBe(2);
    expect(history.canForward).toBe(true);
    expect(history.forward().here?.id).toBe(3);
    history = history.visit(place(4));
    expect(history.canForward).toBe(false);
    expect(history.back().here?.id).toBe(2);
  });

  it('does not remember the same place twice in a row', () => {
    const history = History.empty.visit(place(1)).visit(place(1));
    expect(history.canBack).toBe(false);
  });
});
