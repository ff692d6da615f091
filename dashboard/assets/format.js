// Numbers, times and names as people read them. Pure.
export const none = '–';
const bad = x => x == null || !isFinite(x);

export function num(x) {
	if (bad(x)) return none;
	const a = Math.abs(x);
	if (a >= 1e6) return (x / 1e6).toFixed(a < 1e7 ? 2 : 1) + ' M';
	if (a >= 1e4) return (x / 1e3).toFixed(1) + ' k';
	if (a >= 10 || Number.isInteger(x)) return String(Math.round(x));
	return x.toFixed(a < 1 ? 2 : 1);
}

export const rate = x => (bad(x) ? none : num(x) + '/s');
export const times = x => (bad(x) ? none : x.toFixed(2) + '×');

// A share never rounds up to 100 % nor down to 0 %.
export function pct(x) {
	if (bad(x)) return none;
	const p = x * 100;
	if (p === 100 || p === 0) return p + ' %';
	if (p > 99.99) return '> 99.99 %';
	return (p < 0.1 ? p.toFixed(2) : p >= 90 ? (Math.floor(p * 100) / 100).toFixed(2) : p.toFixed(1)) + ' %';
}

export function dur(s) {
	if (bad(s)) return none;
	if (s < 0) return '0 s';
	if (s < 1e-3) return Math.round(s * 1e6) + ' µs';
	if (s < 1) return (s < 0.01 ? (s * 1e3).toFixed(1) : Math.round(s * 1e3)) + ' ms';
	if (s < 60) return (s < 10 ? s.toFixed(1) : Math.round(s)) + ' s';
	if (s < 3600) return Math.floor(s / 60) + ' m ' + Math.round(s % 60) + ' s';
	if (s < 172800) return Math.floor(s / 3600) + ' h ' + Math.floor((s % 3600) / 60) + ' m';
	return Math.floor(s / 86400) + ' d';
}

export const ago = (time, now) => (time ? dur(Math.max(0, Math.floor((now - Date.parse(time)) / 1000))) : none);
export const ahead = (time, now) => dur(Math.max(0, Math.ceil((Date.parse(time) - now) / 1000)));
const pad = (n, w = 2) => String(n).padStart(w, '0');

export function clock(time, ms) {
	const d = new Date(time);
	return pad(d.getHours()) + ':' + pad(d.getMinutes()) + ':' + pad(d.getSeconds()) + (ms ? '.' + pad(d.getMilliseconds(), 3) : '');
}

// How bad a share of successes is. None is not bad.
export const tone = x => (bad(x) || x >= 0.999 ? '' : x < 0.99 ? 'bad' : 'warn');
export const words = s => (s || '').replace(/[_-]/g, ' ');
export const sum = o => Object.values(o || {}).reduce((a, b) => a + b, 0);
