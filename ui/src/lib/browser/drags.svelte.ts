import type { SystemDrag } from '$lib/backend';
import type { Side } from '$lib/testids';

const THRESHOLD_PX = 5;

export interface DragTargets {
  /** Whether what is dragged from `from` may fall on `over`. */
  allowed(from: Side | 'system', over: Side): boolean;
  drop(from: Side, over: Side): void;
  dropSystem(drop: number, over: Side): void;
}

/**
 * Drags from pane to pane, by pointer events (HTML5 drag and the system's own drag get in
 * each other's way on some platforms), and drags that come from the system.
 */
export class Drags {
  from = $state<Side | 'system' | null>(null);
  over = $state<Side | null>(null);
  /** How many items are dragged; 0 when the system does not say. */
  count = $state(0);
  x = $state(0);
  y = $state(0);
  #targets: DragTargets;
  #end: (() => void) | null = null;

  constructor(targets: DragTargets) {
    this.#targets = targets;
  }

  state(side: Side): 'yes' | 'no' | null {
    if (this.from === null || this.over !== side || this.from === side) return null;
    return this.#targets.allowed(this.from, side) ? 'yes' : 'no';
  }

  /** A button went down on a row; it is a drag once the pointer has moved a little. */
  press(event: PointerEvent, from: Side, count: () => number): void {
    this.#end?.();
    const startX = event.clientX;
    const startY = event.clientY;
    const move = (next: PointerEvent) => {
      const far = Math.hypot(next.clientX - startX, next.clientY - startY) > THRESHOLD_PX;
      if (this.from === null) {
        if (!far) return;
        this.from = from;
        this.count = count();
      }
      this.#at(next.clientX, next.clientY);
    };
    const up = () => {
      const over = this.over;
      const dragging = this.from === from;
      this.#end?.();
      if (dragging && over && over !== from && this.#targets.allowed(from, over)) {
        this.#targets.drop(from, over);
      }
    };
    const key = (pressed: KeyboardEvent) => {
      if (pressed.key !== 'Escape' || this.from === null) return;
      pressed.preventDefault();
      pressed.stopPropagation();
      this.#end?.();
    };
    const cancel = () => this.#end?.();
    this.#end = () => {
      window.removeEventListener('pointermove', move);
      window.removeEventListener('pointerup', up);
      window.removeEventListener('pointercancel', cancel);
      window.removeEventListener('keydown', key, true);
      this.#end = null;
      this.#reset();
    };
    window.addEventListener('pointermove', move);
    window.addEventListener('pointerup', up);
    window.addEventListener('pointercancel', cancel);
    window.addEventListener('keydown', key, true);
  }

  system(drag: SystemDrag): void {
    if (drag.phase === 'leave') return this.#reset();
    this.from = 'system';
    if (drag.names.length > 0) this.count = drag.names.length;
    this.#at(drag.x, drag.y);
    if (drag.phase !== 'drop') return;
    const over = this.over;
    this.#reset();
    if (over && drag.drop !== null) this.#targets.dropSystem(drag.drop, over);
  }

  #at(x: number, y: number): void {
    this.x = x;
    this.y = y;
    const pane = document.elementFromPoint(x, y)?.closest<HTMLElement>('[data-side]');
    const side = pane?.dataset['side'];
    this.over = side === 'local' || side === 'remote' ? side : null;
  }

  #reset(): void {
    this.from = null;
    this.over = null;
    this.count = 0;
  }
}
