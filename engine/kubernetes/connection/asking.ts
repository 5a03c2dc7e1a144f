import type { Dispatcher } from "undici";

/** A dispatcher that asks right before it writes a request to its connection, and fails with what `mayGo` throws. */
export function asking(dispatcher: Dispatcher, mayGo: (() => void) | undefined): Dispatcher {
  if (mayGo === undefined) return dispatcher;
  return dispatcher.compose((dispatch) => (options, handler) => dispatch(options, askingFirst(handler, mayGo)));
}

function askingFirst(handler: Dispatcher.DispatchHandler, mayGo: () => void): Dispatcher.DispatchHandler {
  return {
    onRequestStart: (controller, context) => {
      mayGo();
      handler.onRequestStart?.(controller, context);
    },
    onResponseStart: (...all) => handler.onResponseStart?.(...all),
    onResponseData: (...all) => handler.onResponseData?.(...all),
    onResponseEnd: (...all) => handler.onResponseEnd?.(...all),
    onResponseError: (...all) => handler.onResponseError?.(...all),
  };
}
