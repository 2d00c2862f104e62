export interface MenuItem {
  id: string;
  label: string;
  keys?: string | null;
  /** Present on items that can be ticked. */
  checked?: boolean;
  disabled?: boolean;
  danger?: boolean;
  run: () => void;
}

export type MenuPart = MenuItem | { heading: string } | 'line';

export interface Spot {
  x: number;
  y: number;
}

export function isItem(part: MenuPart): part is MenuItem {
  return typeof part === 'object' && 'run' in part;
}

/** Just below an element's left edge. */
export function below(element: Element): Spot {
  const { left, bottom } = element.getBoundingClientRect();
  return { x: left, y: bottom + 2 };
}
