import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

// The arrows of the design: views -> components/<feature> -> components/shared,
// components -> lib/<feature> -> lib/backend -> generated bindings.
const tauri = {
  regex: '^@tauri-apps/',
  message: 'Only src/lib/backend talks to the shell: use the Backend interface.',
};
const bindings = {
  regex: '(^|/)bindings$',
  message: 'The generated bindings are read by src/lib/backend alone.',
};
const components = {
  regex: '^(\\$components/|.*/components/)',
  message: 'lib/ holds logic: it knows no components.',
};
const backendFromComponents = {
  regex: '^\\$lib/backend|/lib/backend',
  message: 'Components go through a feature of lib/, not to the backend.',
};
const views = {
  regex: '^\\$components/views/|/views/',
  message: 'Views compose feature components, never the other way round.',
};
const otherFeatures = (own) => ({
  regex: `^\\$components/(?!shared/|${own}/)|^\\.\\./(?!shared/)`,
  message: 'A feature component composes shared parts and its own feature.',
});
const features = {
  regex: '^\\$components/(?!shared/)|^\\$lib/(?!messages|testids|rate)|^\\.\\./(?!shared/)',
  message: 'Shared components know nothing of the features.',
};
const restrict = (...patterns) => ({ 'no-restricted-imports': ['error', { patterns }] });

const featureFolders = [
  'browser',
  'session',
  'transfers',
  'log',
  'sites',
  'settings',
  'palette',
  'sharing',
];

export default ts.config(
  { ignores: ['dist/', 'node_modules/', 'src/lib/backend/bindings.ts'] },
  js.configs.recommended,
  ...ts.configs.recommended,
  ...svelte.configs.recommended,
  ...svelte.configs.prettier,
  { languageOptions: { globals: { ...globals.browser } } },
  { files: ['*.config.js', '*.config.ts'], languageOptions: { globals: { ...globals.node } } },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } },
  },
  {
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': 'error',
      'no-console': 'error',
      eqeqeq: 'error',
      // Plain Maps and Sets are chosen on purpose for large data; a version counter makes them reactive.
      'svelte/prefer-svelte-reactivity': 'off',
      'svelte/no-at-html-tags': 'error',
      // A strict CSP blocks style attributes in markup; style: directives go through the CSSOM.
      'no-restricted-syntax': [
        'error',
        {
          selector:
            'SvelteElement[kind="html"] > SvelteStartTag > SvelteAttribute[key.name="style"]',
          message: 'The content security policy blocks style attributes: use style: directives.',
        },
      ],
    },
  },
  { files: ['src/**/*.{ts,svelte}'], rules: restrict(tauri, bindings) },
  { files: ['src/lib/**/*.ts'], rules: restrict(tauri, bindings, components) },
  { files: ['src/lib/backend/**/*.ts'], rules: restrict(components) },
  { files: ['src/components/shared/**'], rules: restrict(tauri, bindings, features) },
  ...featureFolders.map((own) => ({
    files: [`src/components/${own}/**`],
    rules: restrict(tauri, bindings, backendFromComponents, views, otherFeatures(own)),
  })),
  {
    files: ['src/components/views/**'],
    rules: restrict(tauri, bindings, backendFromComponents),
  },
  // Tests may hold a fake backend.
  {
    files: ['src/**/*.test.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: [tauri, bindings] }] },
  },
);
