// Checks what visitors write to the club, in the old way with a callback.
exports.handler = (event, context, callback) => {
  let form;
  try {
    form = JSON.parse(event.body || '{}');
  } catch {
    return callback(null, { statusCode: 400, body: JSON.stringify({ message: 'the form is no JSON' }) });
  }
  if (!/^[^@\s]+@[^@\s]+$/.test(form.mail || '')) {
    return callback(null, { statusCode: 422, body: JSON.stringify({ message: 'there is no address to answer to' }) });
  }
  setTimeout(() => callback(null, { statusCode: 202, body: JSON.stringify({ taken: true }) }), 5);
};
