// Starts the viewer, or says why it cannot.
const say = (text) => {
    document.getElementById('message').textContent = text;
};

const missing = async () => {
    if (!window.isSecureContext) {
        return 'This page computes with WebGPU, which browsers give to secure pages only.\n'
            + 'Open it by https:// or on http://localhost.';
    }
    if (!navigator.gpu) {
        return 'This page computes with WebGPU, and this browser has none.\n'
            + 'Chrome, Edge, Safari 26 and Firefox 141 have it on most systems; on Linux it may have to be switched on '
            + '(Chrome: --enable-unsafe-webgpu).';
    }
    if (!(await navigator.gpu.requestAdapter())) {
        return 'This browser has WebGPU, but no GPU that it lets pages use.\n'
            + 'Its page on graphics (chrome://gpu or about:support) says why.';
    }
    return null;
};

try {
    const reason = await missing();
    if (reason) {
        say(reason);
    } else {
        // The program clears the message, or says what went wrong.
        const { default: init } = await import('./viewer.js');
        await init();
    }
} catch (error) {
    say(`The viewer could not start: ${error.message ?? error}`);
}
