import './styles/tokens.css';
import './styles/base.css';
import { mount } from 'svelte';
import { createApp } from '$lib/app/create';
import Main from '$components/views/Main.svelte';
import NoShell from '$components/views/NoShell.svelte';

const target = document.getElementById('app');
if (target) {
  const app = await createApp();
  if (app) {
    mount(Main, { target, props: { app } });
    void app.start();
  } else {
    mount(NoShell, { target });
  }
}
