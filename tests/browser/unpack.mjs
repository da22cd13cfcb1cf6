// Unpacks the Chromium of the npm package, with the libraries and fonts that it needs, into TMPDIR.
import chromium from "@sparticuz/chromium";

process.env.AWS_LAMBDA_JS_RUNTIME ??= "nodejs22.x"; // so that it also unpacks the libraries
console.log(await chromium.executablePath());
