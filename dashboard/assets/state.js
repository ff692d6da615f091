// What the page knows, as signals. Frames are always taken in; they are drawn unless the page is paused.
import { signal, computed, batch, effect } from './vendor/signals.js';
import { connect } from './stream.js';
import { parse } from './filter.js';

const names = ['overview', 'policies', 'trends', 'series', 'circuits', 'budgets', 'stops', 'venues', 'components', 'findings', 'instances', 'learning'];
export const topics = Object.fromEntries(names.map(n => [n, signal(null)]));
export const list = t => Object.values(topics[t].value || {});
export const me = signal(null);
export const conn = signal({ state: 'connecting' });
export const ready = signal(false); // something can be shown: data, or that there is none yet
export const heard = signal(0); // when the last frame came
export const now = signal(Date.now());
export const tail = signal({ items: [], dropped: 0 });
export const fresh = signal(0); // events that came while paused
export const dialog = signal(null); // {kind, …}
export const note = signal(''); // said to assistive technology

// All of the view is in the address, so that any view is a link.
const defaults = { panel: 'overview', range: '5m', filter: '', sort: '', paused: '', policy: '', zoom: '', slo: '99.9' };
const read = () => ({ ...defaults, ...Object.fromEntries(new URLSearchParams(location.search)) });
export const view = signal(read());
// Links within the page do not load it again.
addEventListener('click', e => {
	const a = e.target.closest('a[href^="?"]');
	if (!a || e.ctrlKey || e.metaKey || e.shiftKey) return;
	e.preventDefault();
	history.pushState(null, '', a.getAttribute('href'));
	view.value = read();
});
addEventListener('popstate', () => (view.value = read()));

export const href = change => {
	const q = new URLSearchParams(Object.entries({ ...view.value, ...change }).filter(([k, v]) => v && v !== defaults[k]));
	return '?' + q;
};

export function go(change, quietly) {
	history[quietly ? 'replaceState' : 'pushState'](null, '', href(change));
	view.value = read();
}

export const terms = computed(() => parse(view.value.filter));
export const paused = computed(() => !!view.value.paused);
export const spans = { '1m': 60, '5m': 300, '15m': 900, '1h': 3600 };
export const span = computed(() => spans[view.value.range] || 300);

export const prefs = signal(JSON.parse(localStorage.getItem('relent') || '{}'));
const system = matchMedia('(prefers-color-scheme: dark)'), dark = signal(system.matches);
system.addEventListener('change', () => (dark.value = system.matches));
export const theme = computed(() => prefs.value.theme || (dark.value ? 'dark' : 'light'));
effect(() => {
	localStorage.setItem('relent', JSON.stringify(prefs.value));
	Object.assign(document.documentElement.dataset, { theme: theme.value, density: prefs.value.density || '' });
});
export const prefer = p => (prefs.value = { ...prefs.value, ...p });

// api calls the server and throws an Error that can be shown.
export async function api(path, body, method) {
	let res;
	try {
		res = await fetch('api/v1/' + path, body || method ? { method: method || 'POST', body: body && JSON.stringify(body) } : {});
	} catch {
		throw new Error('the server cannot be reached');
	}
	const out = res.status === 204 ? null : await res.json();
	if (!res.ok) throw Object.assign(new Error(out.error), { status: res.status });
	return out;
}

// The newest frame waits here until the next time the screen is drawn.
let waiting, ring = [], dropped = 0, drawn = {}, asked;

function draw() {
	asked = false;
	if (paused.value) return;
	batch(() => {
		for (const n of names) if (waiting[n] && waiting[n] !== drawn[n]) topics[n].value = waiting[n];
		for (const n of names) if (!waiting[n] && !topics[n].value) topics[n].value = {};
		if (!drawn.overview) performance.mark('first-data');
		ready.value = true;
		drawn = waiting;
		if (tail.value.last !== ring.at(-1)) tail.value = { items: ring.slice().reverse(), dropped, last: ring.at(-1) };
		fresh.value = 0;
	});
}

function later() {
	if (!asked && waiting) asked = requestAnimationFrame(draw) || true;
}
effect(() => void (paused.value || later()));

function frame(kind, f, state) {
	heard.value = Date.now();
	if (kind === 'events') {
		const had = ring.length ? ring.at(-1).seq : 0;
		const items = f.items.filter(n => n.seq > had);
		ring = ring.concat(items).slice(-2000);
		dropped += f.dropped;
		if (paused.value) fresh.value += items.length;
	} else if (kind === 'snapshot') {
		if (waiting && waiting.overview.epoch !== state.topics.overview.epoch) ring = [];
	}
	waiting = state.topics;
	later();
}

export const stale = computed(() => conn.value.state !== 'connecting' && heard.value && now.value - heard.value > 5000);

let stream;
async function check() {
	try {
		me.value = await api('me');
	} catch (e) {
		me.value ??= { error: e.message };
	}
	return me.value.role && me.value.role !== 'anyone';
}

export async function start() {
	setTimeout(() => (ready.value = true), 500); // the first paint has the data in it, or nothing would stay where it was
	if (await check()) stream ??= connect({ frame, status: s => (conn.value = { ...s, seen: true }), check });
	else if (me.value.error) setTimeout(start, 2000);
}
export const reconnect = () => stream && stream.now();

setInterval(() => (now.value = Date.now()), 1000);
