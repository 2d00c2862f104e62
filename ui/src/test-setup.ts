// jsdom knows neither layout nor <dialog>'s modal methods; the smallest stand-ins.
import { afterEach } from 'vitest';
import { cleanup, configure } from '@testing-library/svelte';

HTMLDialogElement.prototype.showModal ??= function (this: HTMLDialogElement) {
  this.open = true;
};
HTMLDialogElement.prototype.close ??= function (this: HTMLDialogElement) {
  if (!this.open) return;
  this.open = false;
  this.dispatchEvent(new Event('close'));
};
Object.defineProperty(HTMLElement.prototype, 'clientHeight', {
  configurable: true,
  get: () => 400,
});
Element.prototype.scrollTo ??= () => {};
globalThis.ResizeObserver ??= class {
  observe() {}
  unobserve() {}
  disconnect() {}
};
HTMLCanvasElement.prototype.getContext = () => null;
document.elementFromPoint ??= () => null;

// A busy machine is no failure.
configure({ asyncUtilTimeout: 8000 });

afterEach(() => cleanup());
